"""Manifests of a wished size, written for the measurements: a Deployment in the usual layout, comments included."""

from __future__ import annotations

_HEAD = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  namespace: bench-dev
  labels:
    app: {name}
    layer: backend
    version: "1"
  annotations:
    example.com/owner: team-a
spec:
  replicas: 2 # enough for now
  selector:
    matchLabels:
      app: {name}
  template:
    metadata:
      labels:
        app: {name}
        layer: backend
    spec:
      serviceAccountName: {name}
      securityContext:
        runAsNonRoot: true
        runAsUser: 1000
      containers:
        # the service itself
        - name: {name}
          image: registry.example.com/team/{name}:v1.0.0
          imagePullPolicy: IfNotPresent
          ports:
            - name: http
              containerPort: 8080
              protocol: TCP
          env:
            - name: LOG_LEVEL
              value: info
            - name: UPSTREAM_URL
              value: "http://other:8080"
"""
_TAIL = """\
          resources:
            requests:
              cpu: 100m
              memory: 128Mi
            limits:
              cpu: 500m
              memory: 256Mi
          livenessProbe:
            httpGet:
              path: /health
              port: 8080
            initialDelaySeconds: 30
            periodSeconds: 10
          readinessProbe:
            httpGet:
              path: /health
              port: 8080
            initialDelaySeconds: 5
            periodSeconds: 5
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities:
              drop:
                - ALL
          volumeMounts:
            - name: tmp
              mountPath: /tmp
      volumes:
        - name: tmp
          emptyDir: {}
      restartPolicy: Always
"""
_SMALL = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  namespace: bench-dev
  labels:
    app: {name}
spec:
  replicas: 2
  selector:
    matchLabels: {{app: {name}}}
  template:
    metadata:
      labels: {{app: {name}}}
    spec:
      containers:
        - name: {name}
          image: registry.example.com/team/{name}:v1.0.0
          env:
            - {{name: LOG_LEVEL, value: info}}
"""


def deployment(name: str, lines: int) -> str:
    """Return one Deployment of about that many lines; what is more than usual are environment variables."""
    if lines <= 30:
        return _SMALL.format(name=name)
    text = _HEAD.format(name=name)
    spare = lines - text.count("\n") - _TAIL.count("\n")
    for number in range(max(spare, 0) // 2):
        text += f"            - name: SETTING_{number}\n              value: some-value-{number}\n"
    return text + _TAIL


def unit(number: int, lines: int) -> str:
    """Return the text of a unit: one Deployment up to 200 lines, several of about 95 lines above."""
    if lines <= 200:
        return deployment(f"service-{number}", lines)
    count = round(lines / 95)
    return "---\n".join(deployment(f"service-{number}-{place}", 95) for place in range(count))
