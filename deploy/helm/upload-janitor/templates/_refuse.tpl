{{/*
Refuses values that contradict each other, or that would do silently nothing. What one value can be
is in values.schema.json; this is about what no single value can know.
*/}}

{{- define "upload-janitor.refuse" -}}
{{- include "upload-janitor.refuseLedger" . -}}
{{- include "upload-janitor.refuseSchedule" . -}}
{{- include "upload-janitor.refuseReplicas" . -}}
{{- include "upload-janitor.refuseMonitors" . -}}
{{- end -}}

{{- define "upload-janitor.refuseLedger" -}}
{{- $database := .Values.postgresql.existingSecret -}}
{{- $own := and (not .Values.existingConfigMap) .Values.config.ledger -}}
{{- if and $own (hasPrefix "sqlite:" $own) -}}
{{- fail "config.ledger names a file, but the chart places it: remove config.ledger, and set persistence.enabled to true to keep the file" -}}
{{- end -}}
{{- if and $own (regexMatch "^[^/]*//[^/@]*:[^/@$][^/@]*@" $own) -}}
{{- fail "config.ledger holds a password, which everybody may read in a ConfigMap: write ${NAME} for it and set extraEnv, or keep the whole URL in postgresql.existingSecret" -}}
{{- end -}}
{{- if and .Values.persistence.existingClaim (not .Values.persistence.enabled) -}}
{{- fail "persistence.existingClaim is not used without persistence.enabled: set it to true" -}}
{{- end -}}
{{- if and .Values.persistence.enabled (or $database $own) -}}
{{- fail "persistence keeps the ledger in a file, and postgresql.existingSecret or config.ledger keeps it elsewhere: keep one of them" -}}
{{- end -}}
{{- if and $database $own -}}
{{- fail "postgresql.existingSecret and config.ledger both say where the ledger is: keep one of them" -}}
{{- end -}}
{{- if and (not .Values.existingConfigMap) (eq .Values.config.mode "enforce") (not (or .Values.persistence.enabled $database $own)) -}}
{{- fail "config.mode is enforce, but the ledger would be lost with the pod, so every run would be a first run and nothing would ever be aborted: set persistence.enabled to true, or postgresql.existingSecret" -}}
{{- end -}}
{{- end -}}

{{- define "upload-janitor.refuseSchedule" -}}
{{- $schedule := default dict .Values.config.schedule -}}
{{- if .Values.existingConfigMap -}}
{{- if and (eq .Values.workload "cronjob") (not .Values.cronjob.schedule) -}}
{{- fail "the chart cannot read the schedule in existingConfigMap: set cronjob.schedule to the same" -}}
{{- end -}}
{{- else -}}
{{- if or .Values.cronjob.schedule .Values.cronjob.timeZone -}}
{{- fail "cronjob.schedule and cronjob.timeZone are for existingConfigMap: say config.schedule.cron and config.schedule.timezone, which the metrics know, too" -}}
{{- end -}}
{{- if and $schedule.cron $schedule.every -}}
{{- fail "config.schedule has cron (the chart's, if not yours) and every: set config.schedule.cron to null, or remove every" -}}
{{- end -}}
{{- if and (eq .Values.workload "cronjob") (not $schedule.cron) -}}
{{- fail "workload: cronjob needs config.schedule.cron, because a CronJob knows no intervals" -}}
{{- end -}}
{{- end -}}
{{- if and (eq .Values.workload "cronjob") (contains "${" (include "upload-janitor.cron" .)) -}}
{{- fail "config.schedule.cron holds a variable, which Kubernetes cannot fill in: write the schedule out" -}}
{{- end -}}
{{- if eq .Values.workload "cronjob" -}}
{{- include "upload-janitor.refuseDeadline" . -}}
{{- end -}}
{{- end -}}

{{- define "upload-janitor.refuseDeadline" -}}
{{- $run := include "upload-janitor.runTimeout" . -}}
{{- $deadline := include "upload-janitor.activeDeadline" . -}}
{{- if not $deadline -}}
{{- fail "config.execution.run_timeout holds a variable, which the chart cannot read: set cronjob.activeDeadlineSeconds above it" -}}
{{- end -}}
{{- if and $run (not .Values.existingConfigMap) (lt (int64 $deadline) (int64 $run)) -}}
{{- fail (printf "cronjob.activeDeadlineSeconds (%s) is below config.execution.run_timeout (%s s), so Kubernetes would end sweeps before the janitor does: set it above, or lower run_timeout" $deadline $run) -}}
{{- end -}}
{{- end -}}

{{- define "upload-janitor.refuseReplicas" -}}
{{- $own := and (not .Values.existingConfigMap) .Values.config.ledger -}}
{{- $shared := or .Values.existingConfigMap .Values.postgresql.existingSecret (and $own (ne $own "none")) -}}
{{- if and .Values.leaderElection.enabled (eq .Values.workload "cronjob") -}}
{{- fail "leaderElection is for workload: daemon; of a CronJob never two jobs run at once" -}}
{{- end -}}
{{- if gt (int .Values.cronjob.shards) 1 -}}
{{- if eq .Values.workload "daemon" -}}
{{- fail "cronjob.shards is for workload: cronjob; see config.execution.backend for a daemon" -}}
{{- end -}}
{{- if not $shared -}}
{{- fail "cronjob.shards above 1 needs a ledger that all of them reach: set postgresql.existingSecret" -}}
{{- end -}}
{{- if .Values.upgradeLedger -}}
{{- fail "upgradeLedger with cronjob.shards would let every shard upgrade at once: run janitor ledger upgrade by itself first" -}}
{{- end -}}
{{- end -}}
{{- if eq .Values.workload "daemon" -}}
{{- if and (gt (int .Values.daemon.replicas) 1) (not .Values.leaderElection.enabled) -}}
{{- fail "daemon.replicas above 1 needs leaderElection.enabled, or all of them would sweep" -}}
{{- end -}}
{{- if and (gt (int .Values.daemon.replicas) 1) (not $shared) -}}
{{- fail "daemon.replicas above 1 needs a ledger that all of them reach: set postgresql.existingSecret" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "upload-janitor.refuseMonitors" -}}
{{- if eq .Values.workload "cronjob" -}}
{{- range list "serviceMonitor" "podMonitor" "podDisruptionBudget" -}}
{{- if (get $.Values .).enabled -}}
{{- fail (printf "%s is for workload: daemon; a CronJob's metrics are pushed, see config.push" .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and .Values.serviceMonitor.enabled .Values.podMonitor.enabled -}}
{{- fail "serviceMonitor and podMonitor would both scrape the same pod: enable one of them" -}}
{{- end -}}
{{- if and .Values.serviceMonitor.enabled (not .Values.service.enabled) -}}
{{- fail "serviceMonitor finds nothing without service.enabled: set it to true, or use podMonitor" -}}
{{- end -}}
{{- end -}}
