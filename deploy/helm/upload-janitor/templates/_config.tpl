{{/* The janitor's config file, and what else follows from it. */}}

{{- define "upload-janitor.configFile" -}}
{{- $config := deepCopy .Values.config -}}
{{- $_ := set $config "version" 1 -}}
{{- $http := default dict $config.http -}}
{{- $host := ternary "[::]" .Values.http.address (eq .Values.http.address "::") -}}
{{- $_ := set $http "listen" (printf "%s:%d" $host (int .Values.http.port)) -}}
{{- $_ := set $config "http" $http -}}
{{- $_ := set $config "ledger" (include "upload-janitor.ledger" .) -}}
{{- if .Values.leaderElection.enabled -}}
{{- $election := dict "lease" (include "upload-janitor.leaseName" .) "namespace" .Release.Namespace "duration" .Values.leaderElection.duration -}}
{{- $_ := set $config "leader_election" $election -}}
{{- end -}}
{{- $push := default dict $config.push -}}
{{- if and $push.pushgateway_url (not $push.grouping) -}}
{{- /* Else two releases would overwrite each other's group. */ -}}
{{- $_ := set $push "grouping" (dict "namespace" .Release.Namespace "release" .Release.Name) -}}
{{- $_ := set $config "push" $push -}}
{{- end -}}
{{- /* Helm reads an unquoted off as false, as YAML 1.1 had it. */ -}}
{{- regexReplaceAll "(?m)^([ -]*idle_for): false$" (toYaml $config) "${1}: \"off\"" -}}
{{- end -}}

{{- define "upload-janitor.ledger" -}}
{{- if .Values.config.ledger -}}
{{ .Values.config.ledger }}
{{- else if .Values.postgresql.existingSecret -}}
${JANITOR_LEDGER_URL}
{{- else -}}
sqlite:////var/lib/upload-janitor/janitor.db
{{- end -}}
{{- end -}}

{{/* Seconds that one sweep may take, as execution.run_timeout says it. */}}
{{- define "upload-janitor.runTimeout" -}}
{{- $said := default "6h" (default dict .Values.config.execution).run_timeout | toString -}}
{{- $units := dict "s" 1 "min" 60 "h" 3600 -}}
{{- $unit := regexFind "(s|min|h)$" $said -}}
{{- if regexMatch "^[0-9]+(s|min|h)$" $said -}}
{{- mul (trimSuffix $unit $said | int64) (get $units $unit) -}}
{{- end -}}
{{- end -}}

{{/* Seconds after which Kubernetes ends a job: later than the janitor would end its sweep. */}}
{{- define "upload-janitor.activeDeadline" -}}
{{- $run := include "upload-janitor.runTimeout" . -}}
{{- if .Values.cronjob.activeDeadlineSeconds -}}
{{- .Values.cronjob.activeDeadlineSeconds | int64 -}}
{{- else if $run -}}
{{- add (int64 $run) 900 -}}
{{- end -}}
{{- end -}}

{{- define "upload-janitor.cron" -}}
{{- if .Values.existingConfigMap -}}
{{- .Values.cronjob.schedule -}}
{{- else -}}
{{- (default dict .Values.config.schedule).cron -}}
{{- end -}}
{{- end -}}

{{- define "upload-janitor.timeZone" -}}
{{- if .Values.existingConfigMap -}}
{{- default "UTC" .Values.cronjob.timeZone -}}
{{- else -}}
{{- default "UTC" (default dict .Values.config.schedule).timezone -}}
{{- end -}}
{{- end -}}

{{/* http, https or tcp: how the kubelet can ask the daemon. */}}
{{- define "upload-janitor.probeHandler" -}}
{{- $http := default dict .Values.config.http -}}
{{- if ne .Values.daemon.probes.handler "auto" -}}
{{- .Values.daemon.probes.handler -}}
{{- else if or $http.tls_client_ca $http.web_config_file -}}
tcp
{{- else if $http.tls_cert -}}
https
{{- else -}}
http
{{- end -}}
{{- end -}}

{{- define "upload-janitor.scrapeScheme" -}}
{{- $http := default dict .Values.config.http -}}
{{- ternary "http" "https" (empty $http.tls_cert) -}}
{{- end -}}

{{/* The TCP ports of the addresses that the config names, 443 among them; a JSON list. */}}
{{- define "upload-janitor.egressPorts" -}}
{{- $push := default dict .Values.config.push -}}
{{- $urls := list (default "" $push.pushgateway_url) -}}
{{- range .Values.config.targets -}}
{{- $role := default dict .assume_role -}}
{{- $urls = concat $urls (list (default "" .endpoint_url) (default "" .proxy_url) (default "" .sts_endpoint_url) (default "" $role.sts_endpoint_url)) -}}
{{- if eq (default "" .provider) "qingstor" -}}
{{- $urls = append $urls (printf "https://qingstor:%v" (default 443 .port)) -}}
{{- end -}}
{{- end -}}
{{- $ports := list 443 -}}
{{- range $urls -}}
{{- if regexMatch "^https?://[^/]*:[0-9]+/?" . -}}
{{- $ports = append $ports (regexFind "^https?://[^/]*:[0-9]+" . | regexFind "[0-9]+$" | int) -}}
{{- else if hasPrefix "http:" . -}}
{{- $ports = append $ports 80 -}}
{{- end -}}
{{- end -}}
{{- $ports | uniq | toJson -}}
{{- end -}}
