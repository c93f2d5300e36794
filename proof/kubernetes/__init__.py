"""A real control plane under faults: the kill matrix on Kubernetes."""
