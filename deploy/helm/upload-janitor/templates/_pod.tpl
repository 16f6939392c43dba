{{/* The pod that both workloads run. */}}

{{- define "upload-janitor.podSettings" -}}
serviceAccountName: {{ include "upload-janitor.serviceAccountName" . }}
automountServiceAccountToken: {{ .Values.leaderElection.enabled }}
enableServiceLinks: false
terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
securityContext:
  runAsNonRoot: true
  seccompProfile:
    type: RuntimeDefault
  {{- with .Values.podSecurityContext }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Without a name and arguments: the janitor's own container, and that of upgradeLedger. */}}
{{- define "upload-janitor.container" -}}
image: {{ include "upload-janitor.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  capabilities:
    drop: [ALL]
  privileged: false
  readOnlyRootFilesystem: true
  runAsNonRoot: true
{{- with include "upload-janitor.env" . | trim }}
env:
  {{- . | nindent 2 }}
{{- end }}
{{- with .Values.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumeMounts:
  - name: config
    mountPath: /etc/upload-janitor
    readOnly: true
  - name: ledger
    mountPath: /var/lib/upload-janitor
  - name: tmp
    mountPath: /tmp
  {{- if .Values.existingSecret }}
  - name: secret
    mountPath: /run/secrets/upload-janitor
    readOnly: true
  {{- end }}
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "upload-janitor.initContainers" -}}
{{- if .Values.upgradeLedger -}}
initContainers:
  - name: upgrade-ledger
    args: [ledger, upgrade, --config, /etc/upload-janitor/janitor.yaml]
    {{- include "upload-janitor.container" . | nindent 4 }}
{{- end }}
{{- end -}}

{{- define "upload-janitor.env" -}}
{{- if not .Values.instanceMetadata }}
- name: AWS_EC2_METADATA_DISABLED
  value: "true"
{{- end }}
{{- if and (eq .Values.workload "cronjob") (gt (int .Values.cronjob.shards) 1) }}
# What the shards of one run have in common.
- name: JANITOR_SHARD_RUN
  valueFrom:
    fieldRef:
      fieldPath: metadata.labels['batch.kubernetes.io/controller-uid']
{{- end }}
{{- with .Values.postgresql.existingSecret }}
- name: JANITOR_LEDGER_URL
  valueFrom:
    secretKeyRef:
      name: {{ . }}
      key: {{ $.Values.postgresql.key }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "upload-janitor.volumes" -}}
{{- /* A whole directory: a file that is mounted by subPath never changes. */ -}}
- name: config
  configMap:
    name: {{ include "upload-janitor.configMapName" . }}
- name: ledger
  {{- if .Values.persistence.enabled }}
  persistentVolumeClaim:
    claimName: {{ include "upload-janitor.claimName" . }}
  {{- else }}
  emptyDir:
    sizeLimit: {{ .Values.persistence.size }}
  {{- end }}
- name: tmp
  emptyDir:
    sizeLimit: {{ .Values.tmpSizeLimit }}
{{- with .Values.existingSecret }}
- name: secret
  secret:
    secretName: {{ . }}
    defaultMode: 0440
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "upload-janitor.probe" -}}
{{- $handler := include "upload-janitor.probeHandler" .root -}}
{{- if eq $handler "tcp" -}}
tcpSocket:
  port: http
{{- else -}}
httpGet:
  path: {{ .path }}
  port: http
  {{- if eq $handler "https" }}
  scheme: HTTPS
  {{- end }}
{{- end }}
{{ toYaml .timing }}
{{- end -}}
