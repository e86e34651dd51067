{{/* The ensemble is a label of the target, and the pod's name says more than its address. */}}
{{- define "zkwarden.endpoint" -}}
interval: {{ .Values.podMonitor.interval }}
scrapeTimeout: {{ .Values.podMonitor.scrapeTimeout }}
{{- with .Values.podMonitor.endpoint }}
{{ toYaml . }}
{{- end }}
relabelings:
  - targetLabel: ensemble
    replacement: {{ include "zkwarden.ensemble" . }}
  - sourceLabels: [__meta_kubernetes_pod_name]
    targetLabel: instance
{{- end }}

{{/*
An auditor asks its first server, too. Where others tell of the servers that
would be said twice, and an alert would come twice.
*/}}
{{- define "zkwarden.auditorSeries" -}}
{{- if or .Values.podMonitor.sidecar.matchLabels .Values.central.enabled -}}
metricRelabelings:
  - sourceLabels: [__name__]
    regex: (zkwarden|process|go)_.*
    action: keep
{{- end }}
{{- end }}
