"""Kubernetes: workloads, traffic and what else of a release lives in a cluster."""

from activities.integrations.kubernetes.access import KubernetesAccess
from activities.integrations.kubernetes.api import Api
from activities.integrations.kubernetes.configuration import ClusterConfiguration
from activities.integrations.kubernetes.feed import PodFeed
from activities.integrations.kubernetes.freezer import ClusterFreezer
from activities.integrations.kubernetes.http_route import HttpRouteTraffic
from activities.integrations.kubernetes.in_place import InPlace
from activities.integrations.kubernetes.owners import KubernetesOwners
from activities.integrations.kubernetes.place import KubernetesPlace
from activities.integrations.kubernetes.preconditions import ClusterPreconditions
from activities.integrations.kubernetes.rollout_analyses import RolloutAnalyses
from activities.integrations.kubernetes.rollout_pods import RolloutPods
from activities.integrations.kubernetes.rollout_traffic import RolloutTraffic
from activities.integrations.kubernetes.secrets import KubernetesSecrets
from activities.integrations.kubernetes.service import ServiceTraffic
from activities.integrations.kubernetes.side_by_side import SideBySide
from activities.integrations.kubernetes.world import Reader

__all__ = [
    "Api",
    "ClusterConfiguration",
    "ClusterFreezer",
    "ClusterPreconditions",
    "HttpRouteTraffic",
    "InPlace",
    "KubernetesAccess",
    "KubernetesOwners",
    "KubernetesPlace",
    "KubernetesSecrets",
    "PodFeed",
    "Reader",
    "RolloutAnalyses",
    "RolloutPods",
    "RolloutTraffic",
    "ServiceTraffic",
    "SideBySide",
]
