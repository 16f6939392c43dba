{{/* What a ServiceMonitor's and a PodMonitor's endpoint have in common. */}}

{{- define "upload-janitor.endpoint" -}}
port: http
path: /metrics
scheme: {{ default (include "upload-janitor.scrapeScheme" .root) .monitor.scheme }}
interval: {{ .monitor.interval }}
scrapeTimeout: {{ .monitor.scrapeTimeout }}
{{- with .monitor.tlsConfig }}
tlsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .monitor.basicAuth }}
basicAuth:
  {{- toYaml . | nindent 2 }}
{{- end }}
relabelings:
  # One for each release, and one that the alerts know.
  - targetLabel: job
    replacement: {{ include "upload-janitor.job" .root }}
  # In our metrics, container is a bucket or a vault; the operator's own label would displace it.
  - action: labeldrop
    regex: container
  {{- with .monitor.relabelings }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .monitor.metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "upload-janitor.job" -}}
{{- $name := include "upload-janitor.fullname" . -}}
{{- ternary $name (printf "upload-janitor-%s" $name) (contains "upload-janitor" $name) -}}
{{- end -}}
