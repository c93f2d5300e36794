"""Configurations as teams have them, and the catalogue that a fragment is pasted into."""

import json
from typing import Any

from hypothesis import strategies as st

CATALOGUE = """\
version: 1
environments: {demo: {}}
services:
  shop:
    strategy: canary
    environments:
      demo:
        workloads: {kind: supervisord, socket: /run/s.sock, program: shop}
        traffic: {kind: envoy, admin: http://127.0.0.1:9901, routes: /run/r.json, route: shop}
"""
SERIES = 'http_server_requests_seconds_count{application="shop",app_version="${scope}"'
FAILED = f'sum(rate({SERIES},status=~"5.."}}[1m])) / sum(rate({SERIES}}}[1m]))'
SLOW = (
    "histogram_quantile(0.99, sum(rate(http_server_requests_seconds_bucket"
    '{application="shop",app_version="${scope}"}[1m])) by (le))'
)


def pasted(fragment: str) -> str:
    """The catalogue with the fragment where it says that it belongs."""
    return f"{CATALOGUE}{fragment}\n"


def metric(name: str, promql: str, group: str = "Errors", **canary: Any) -> dict[str, Any]:
    """One metric of a canary configuration; `canary` are its settings."""
    return {
        "name": name,
        "query": {
            "type": "prometheus",
            "serviceType": "prometheus",
            "metricName": "ignored_beside_a_template",
            "customInlineTemplate": f"PromQL:{promql}",
            "labelBindings": [],
        },
        "groups": [group],
        "analysisConfigurations": {"canary": {"direction": "increase", **canary}},
        "scopeName": "default",
    }


def canary_config(*metrics: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """As `spin canary canary-config get` prints one."""
    return {
        "applications": ["shop"],
        "classifier": {
            "groupWeights": {"Errors": 60, "Latency": 40},
            "scoreThresholds": {"marginal": 70, "pass": 90},
        },
        "configVersion": "1",
        "createdTimestamp": 1711711711711,
        "createdTimestampIso": "2024-03-29T11:28:31.711Z",
        "description": "",
        "id": "0c6f3f0e-1f6c-4d4b-8d1c-5a0c3a1f9d10",
        "judge": {"judgeConfigurations": {}, "name": "NetflixACAJudge-v1.0"},
        "metrics": list(metrics) or [metric("5xx", FAILED), metric("p99", SLOW, "Latency")],
        "name": "shop golden signals",
        "templates": {},
        **changes,
    }


def text(document: Any) -> str:
    """The file."""
    return json.dumps(document, indent=2)


ANALYSIS = """\
# The Rollout that uses them stands in the same file.
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: shop}
spec: {replicas: 4}
---
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata:
  name: golden-signals
spec:
  args:
    - name: service-name
    - name: version
    - name: least-success
      value: "0.98"
    - name: prometheus
      value: http://prometheus.monitoring.example.com:9090
  metrics:
    - name: success-rate
      interval: 2m
      initialDelay: 90s
      successCondition: len(result) == 0 || result[0] >= {{args.least-success}}
      failureLimit: 3
      provider:
        prometheus:
          address: "{{args.prometheus}}"
          headers:
            - {key: X-Scope-OrgID, value: tenant}
          query: |
            sum(rate(http_requests_total{service="{{args.service-name}}", version="{{args.version}}", code!~"5.."}[2m]))
            /
            sum(rate(http_requests_total{service="{{args.service-name}}", version="{{args.version}}"}[2m]))
    - name: p99
      interval: 30s
      count: 10
      failureLimit: "2"
      failureCondition: result[0] > 0.8
      provider:
        prometheus:
          address: "{{args.prometheus}}"
          query: >-
            histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket{service="{{args.service-name}}",version="{{args.version}}"}[2m])))
---
apiVersion: argoproj.io/v1alpha1
kind: ClusterAnalysisTemplate
metadata:
  name: business
spec:
  metrics:
    - name: orders
      interval: 1m
      successCondition: asFloat(result) > 12.5
      failureLimit: 2
      provider:
        web:
          url: https://numbers.example.com/shop
          timeoutSeconds: 5
          jsonPath: "{$.orders[0]['per/minute']}"
          headers:
            - {key: Authorization, value: "Bearer {{ args.api-token }}"}
    - name: smoke
      provider:
        job: {spec: {template: {}}}
"""  # noqa: E501 -- as they are written


def analysis(*lines: str, query: str = "", provider: str = "") -> str:
    """A template of one metric; `lines` are its fields beside name and provider."""
    asked = query or ("sum(rate(http_errors_total[1m])) / sum(rate(http_requests_total[1m]))")
    told = provider or f"prometheus: {{address: http://p.example.com, query: {json.dumps(asked)}}}"
    fields = "".join(f"      {line}\n" for line in lines)
    return (
        "apiVersion: argoproj.io/v1alpha1\nkind: AnalysisTemplate\nmetadata: {name: t}\nspec:\n"
        f"  metrics:\n    - name: m\n{fields}      provider:\n        {told}\n"
    )


ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 10**20),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.lists(st.integers(0, 3) | st.text(max_size=3), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(0, 3), max_size=3),
)
"""What somebody may have put where something else belongs."""


def change_somewhere(document: Any, data: st.DataObject, value: Any) -> None:
    """Put the value somewhere into the document, as deep as it goes."""
    node = document
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        key = data.draw(st.sampled_from(keys))
        deeper = node[key]
        if not isinstance(deeper, dict | list) or not deeper or data.draw(st.booleans()):
            node[key] = value
            return
        node = deeper
