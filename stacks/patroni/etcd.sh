#!/usr/bin/env bash
# A member of etcd, which keeps who leads. ETCD_MEMBERS names all of them, this one too.
set -euo pipefail
name=$ETCD_NAME
cluster=''
for member in ${ETCD_MEMBERS//,/ }; do cluster+=,$member=http://$member:2380; done
# etcd reads every ETCD_ variable as an option of its own, and warns of those that are none.
unset ETCD_NAME ETCD_MEMBERS
exec gosu postgres etcd --name "$name" --data-dir /var/lib/etcd/data --logger zap --log-level warn \
  --listen-client-urls http://0.0.0.0:2379 --advertise-client-urls "http://$name:2379" \
  --listen-peer-urls http://0.0.0.0:2380 --initial-advertise-peer-urls "http://$name:2380" \
  --initial-cluster "${cluster#,}" --initial-cluster-token pg-failover-lab
