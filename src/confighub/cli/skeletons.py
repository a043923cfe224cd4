"""Texts to begin a unit with, by ``--type``: complete, with placeholders where one must choose."""

from __future__ import annotations

from confighub.errors import BadRequest

_PLACEHOLDER = "confighubplaceholder"

_DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  namespace: {placeholder}
  labels:
    app: {name}
spec:
  replicas: 1
  selector:
    matchLabels:
      app: {name}
  template:
    metadata:
      labels:
        app: {name}
    spec:
      containers:
      - name: {name}
        image: {placeholder}
        ports:
        - name: http
          containerPort: 8080
        resources:
          requests:
            cpu: 100m
            memory: 128Mi
          limits:
            cpu: 500m
            memory: 256Mi
"""
_SERVICE = """\
apiVersion: v1
kind: Service
metadata:
  name: {name}
  namespace: {placeholder}
spec:
  type: ClusterIP
  selector:
    app: {name}
  ports:
  - name: http
    port: 8080
    targetPort: 8080
"""
_NAMESPACE = """\
apiVersion: v1
kind: Namespace
metadata:
  name: {name}
"""
_CONFIG_MAP = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {name}
  namespace: {placeholder}
data: {{}}
"""
_INGRESS = """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {name}
  namespace: {placeholder}
spec:
  rules:
  - host: {placeholder}
    http:
      paths:
      - path: /
        pathType: Prefix
        backend:
          service:
            name: {name}
            port:
              number: 8080
"""
_SKELETONS = {
    "configmap": _CONFIG_MAP,
    "deployment": _DEPLOYMENT,
    "ingress": _INGRESS,
    "namespace": _NAMESPACE,
    "service": _SERVICE,
}


def skeleton(kind: str, name: str) -> str:
    """Return the text of a new unit for a type such as ``k8s/Deployment`` or ``Service``.

    Raises: BadRequest, listing the types that there are.
    """
    family, _, word = kind.rpartition("/")
    text = _SKELETONS.get(word.lower())
    if text is None or family.lower() not in ("", "k8s", "kubernetes", "apps/v1", "v1", "networking.k8s.io/v1"):
        known = ", ".join(f"k8s/{one}" for one in ("ConfigMap", "Deployment", "Ingress", "Namespace", "Service"))
        raise BadRequest(f"no skeleton for {kind}", hint=f"there is {known}")
    return text.format(name=name, placeholder=_PLACEHOLDER)
