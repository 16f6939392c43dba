"""Values that each turn on one thing of the chart, and some that turn on many."""

from __future__ import annotations

from typing import Any

_S3 = {"name": "lake", "provider": "s3", "region": "eu-west-1", "buckets": ["*"]}
_MINIO = _S3 | {"name": "minio", "endpoint_url": "https://minio.example:9000"}
_QINGSTOR = {
    "name": "media",
    "provider": "qingstor",
    "zone": "pek3b",
    "buckets": ["your-bucket-name"],
    "access_key_id": "${QINGSTOR_ACCESS_KEY_ID}",
    "secret_access_key_file": "/run/secrets/upload-janitor/qingstor",
}
_ON: dict[str, Any] = {"enabled": True}
_POSTGRES: dict[str, Any] = {"postgresql": {"existingSecret": "ledger"}}
_PUSH = {"push": {"pushgateway_url": "http://pushgateway.example:9091"}}

CASES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "cronjob": {"workload": "cronjob"},
    "cronjob-enforce": {
        "workload": "cronjob",
        "persistence": _ON,
        "config": {"mode": "enforce", "targets": [_S3]},
    },
    "cronjob-push": {"workload": "cronjob", "config": _PUSH},
    "cronjob-own-deadline": {
        "workload": "cronjob",
        "cronjob": {"activeDeadlineSeconds": 7200, "suspend": True, "output": "jsonl"},
        "config": {
            "execution": {"run_timeout": "90min"},
            "schedule": {"cron": "@daily", "timezone": "Europe/Berlin"},
        },
    },
    "cronjob-configmap": {
        "workload": "cronjob",
        "existingConfigMap": "mine",
        "cronjob": {"schedule": "0 3 * * *", "timeZone": "Asia/Tokyo"},
    },
    "shards": {
        **_POSTGRES,
        "workload": "cronjob",
        "cronjob": {"shards": 8},
        "config": {"mode": "enforce", "targets": [_S3], **_PUSH},
    },
    "processes": {
        "config": {"execution": {"backend": "processes", "workers": 4}},
        "resources": {"requests": {"cpu": "4"}, "limits": {"memory": "2Gi"}},
    },
    "configmap": {"existingConfigMap": "mine"},
    "interval": {"config": {"schedule": {"cron": None, "every": "6h", "jitter": "5min"}}},
    "restart": {"reloadOnConfigChange": "restart"},
    "volume": {"persistence": _ON},
    "volume-of-a-class": {
        "persistence": {
            **_ON,
            "size": "5Gi",
            "storageClass": "fast",
            "accessMode": "ReadWriteOncePod",
            "retain": False,
            "annotations": {"backup": "yes"},
        }
    },
    "volume-without-class": {"persistence": {**_ON, "storageClass": "-"}},
    "upgrade": {"upgradeLedger": True, "persistence": _ON},
    "upgrade-cronjob": {**_POSTGRES, "workload": "cronjob", "upgradeLedger": True},
    "existing-claim": {"persistence": {**_ON, "existingClaim": "mine"}},
    "postgresql": {**_POSTGRES, "config": {"mode": "enforce"}},
    "own-ledger": {
        "config": {
            "mode": "enforce",
            "ledger": "postgresql+psycopg://janitor:${PASSWORD}@db.example/janitor",
        },
        "extraEnv": [
            {
                "name": "PASSWORD",
                "valueFrom": {"secretKeyRef": {"name": "database", "key": "password"}},
            }
        ],
    },
    "no-ledger": {
        "config": {"mode": "enforce", "ledger": "none", "policy": {"grace": 0}},
    },
    "leader-election": {
        **_POSTGRES,
        "leaderElection": _ON,
        "daemon": {"replicas": 2},
        "podDisruptionBudget": _ON,
    },
    "leader-election-alone": {"leaderElection": {**_ON, "leaseName": "one", "duration": "30s"}},
    "secrets": {
        "existingSecret": "credentials",
        "config": {"targets": [_QINGSTOR, _MINIO]},
        "extraEnv": [
            {
                "name": "QINGSTOR_ACCESS_KEY_ID",
                "valueFrom": {"secretKeyRef": {"name": "qingstor", "key": "id"}},
            }
        ],
        "extraEnvFrom": [{"secretRef": {"name": "more"}}],
        "extraVolumes": [{"name": "ca", "configMap": {"name": "ca"}}],
        "extraVolumeMounts": [{"name": "ca", "mountPath": "/etc/ca", "readOnly": True}],
    },
    "role": {
        "serviceAccount": {
            "name": "janitor",
            "annotations": {
                "eks.amazonaws.com/role-arn": "arn:aws:iam::012345678901:role/upload-janitor"
            },
        },
        "instanceMetadata": True,
    },
    "foreign-account": {"serviceAccount": {"create": False, "name": "mine"}},
    "default-account": {"serviceAccount": {"create": False}},
    "tls": {
        "config": {"http": {"tls_cert": "/etc/tls/tls.crt", "tls_key": "/etc/tls/tls.key"}},
        "extraVolumes": [{"name": "tls", "secret": {"secretName": "tls"}}],
        "extraVolumeMounts": [{"name": "tls", "mountPath": "/etc/tls"}],
        "serviceMonitor": {**_ON, "tlsConfig": {"insecureSkipVerify": True}},
    },
    "ipv6": {"http": {"address": "::", "port": 9100}, "service": {"port": 80}},
    "no-service": {"service": {"enabled": False}},
    "service-monitor": {
        "serviceMonitor": {
            **_ON,
            "labels": {"release": "prometheus"},
            "relabelings": [{"targetLabel": "cluster", "replacement": "one"}],
            "metricRelabelings": [{"action": "labeldrop", "regex": "python_version"}],
            "basicAuth": {
                "username": {"name": "scraper", "key": "user"},
                "password": {"name": "scraper", "key": "password"},
            },
        }
    },
    "pod-monitor": {"podMonitor": _ON, "service": {"enabled": False}},
    "rules": {"prometheusRule": {**_ON, "labels": {"release": "prometheus"}}},
    "dashboard": {"grafanaDashboard": {**_ON, "namespace": "monitoring"}},
    "network-policy": {"networkPolicy": _ON},
    "network-policy-cronjob": {
        "workload": "cronjob",
        "networkPolicy": _ON,
        "config": {**_PUSH, "targets": [_S3, _MINIO, _QINGSTOR]},
        "existingSecret": "credentials",
    },
    "network-policy-all": {
        **_POSTGRES,
        "leaderElection": _ON,
        "networkPolicy": {
            **_ON,
            "podIdentity": True,
            "metricsFrom": [],
            "extraEgress": [{"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]}],
        },
    },
    "placement": {
        "image": {
            "repository": "registry.example:5000/tools/upload-janitor",
            "digest": "sha256:" + "0" * 64,
            "pullPolicy": "Always",
        },
        "imagePullSecrets": [{"name": "registry"}],
        "resources": {"limits": {"memory": "1Gi"}},
        "labels": {"team": "storage", "app.kubernetes.io/part-of": "backups"},
        "podLabels": {"team": "pods", "sidecar.istio.io/inject": "false"},
        "podAnnotations": {"prometheus.io/scrape": "true"},
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "dedicated", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "topology.kubernetes.io/zone",
                "whenUnsatisfiable": "ScheduleAnyway",
            }
        ],
        "priorityClassName": "low",
    },
    "openshift": {
        "podSecurityContext": {"runAsUser": None, "runAsGroup": None, "fsGroup": None},
    },
    "names": {"fullnameOverride": "cleaner", "nameOverride": "sweeper"},
}

TOKEN_CASES = {"leader-election", "leader-election-alone", "network-policy-all"}
FOREIGN_CONFIGS = {name for name, values in CASES.items() if "existingConfigMap" in values}
