"""A real Kubernetes control plane on this machine, with stand-ins for its nodes and pods.

etcd, kube-apiserver and kube-controller-manager are the real programs; what a Deployment does here
it does anywhere. Machines and containers are not there: `kubelet.py` says how they are played.
"""
