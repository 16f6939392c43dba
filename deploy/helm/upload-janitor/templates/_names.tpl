{{/* Names and labels. */}}

{{- define "upload-janitor.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{/*
At most 52 characters, which is what a CronJob may have. A longer name keeps its beginning and gets
the hash of the rest, so that two long names do not become one.
*/}}
{{- define "upload-janitor.fullname" -}}
{{- $name := include "upload-janitor.name" . -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- $full = default $full .Values.fullnameOverride -}}
{{- if gt (len $full) 52 -}}
{{- $full = printf "%s-%s" ($full | trunc 43 | trimSuffix "-") ($full | sha256sum | trunc 8) -}}
{{- end -}}
{{- $full -}}
{{- end -}}

{{- define "upload-janitor.selectorLabels" -}}
app.kubernetes.io/name: {{ include "upload-janitor.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* The labels by which a Deployment, a Service and a disruption budget know the daemon's pods. */}}
{{- define "upload-janitor.daemonLabels" -}}
{{ include "upload-janitor.selectorLabels" . }}
app.kubernetes.io/component: daemon
{{- end -}}

{{/* Of a list of the root and of more labels, which are for one object alone; ours win. */}}
{{- define "upload-janitor.labelsWith" -}}
{{- $root := index . 0 -}}
{{- $own := include "upload-janitor.selectorLabels" $root | fromYaml -}}
{{- $_ := set $own "app.kubernetes.io/version" $root.Chart.AppVersion -}}
{{- $_ := set $own "app.kubernetes.io/managed-by" $root.Release.Service -}}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_") -}}
{{- merge $own (index . 1) $root.Values.labels | toYaml -}}
{{- end -}}

{{- define "upload-janitor.labels" -}}
{{- include "upload-janitor.labelsWith" (list . dict) -}}
{{- end -}}

{{/* Of what belongs to one workload. */}}
{{- define "upload-janitor.workloadLabels" -}}
{{- include "upload-janitor.labelsWith" (list . (dict "app.kubernetes.io/component" .Values.workload)) -}}
{{- end -}}

{{- define "upload-janitor.podLabels" -}}
{{- $component := dict "app.kubernetes.io/component" .Values.workload -}}
{{- include "upload-janitor.labelsWith" (list . (merge $component .Values.podLabels)) -}}
{{- end -}}

{{- define "upload-janitor.serviceAccountName" -}}
{{- $default := ternary (include "upload-janitor.fullname" .) "default" .Values.serviceAccount.create -}}
{{- default $default .Values.serviceAccount.name -}}
{{- end -}}

{{- define "upload-janitor.configMapName" -}}
{{- default (include "upload-janitor.fullname" .) .Values.existingConfigMap -}}
{{- end -}}

{{- define "upload-janitor.claimName" -}}
{{- default (include "upload-janitor.fullname" .) .Values.persistence.existingClaim -}}
{{- end -}}

{{- define "upload-janitor.leaseName" -}}
{{- default (include "upload-janitor.fullname" .) .Values.leaderElection.leaseName -}}
{{- end -}}

{{- define "upload-janitor.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end -}}
