"""Manifests that the tests of several rooms share."""

WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web # the front
  namespace: shop
spec:
  replicas: 1
  selector:
    matchLabels:
      app: web
  template:
    metadata:
      labels:
        app: web
    spec:
      containers:
        - name: web
          image: example/web:v1.0.0
"""
