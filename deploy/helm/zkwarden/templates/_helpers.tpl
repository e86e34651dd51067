{{- define "zkwarden.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 45 | trimSuffix "-" -}}
{{- else -}}
{{- $name := .Values.nameOverride | default .Chart.Name -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- $full | trunc 45 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* The labels that never change, of one component: (list . "auditor"). */}}
{{- define "zkwarden.selector" -}}
{{- $ := index . 0 -}}
app.kubernetes.io/name: {{ $.Values.nameOverride | default $.Chart.Name }}
app.kubernetes.io/instance: {{ $.Release.Name }}
{{- with index . 1 }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{/* All labels of one component's objects: (list . "auditor"). */}}
{{- define "zkwarden.labels" -}}
{{- $ := index . 0 -}}
{{ include "zkwarden.selector" . }}
app.kubernetes.io/version: {{ $.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $.Chart.Name $.Chart.Version }}
{{- with $.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "zkwarden.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "zkwarden.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{- define "zkwarden.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository ($image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* The name of the ensemble, which nothing works without. */}}
{{- define "zkwarden.ensemble" -}}
{{- required "ensemble.name is needed: it stands in every audit record and tells ensembles apart in alerts" .Values.ensemble.name -}}
{{- end -}}

{{/* The members' client ports, for what runs beside the ensemble. */}}
{{- define "zkwarden.addresses" -}}
{{- if not .Values.ensemble.addresses -}}
{{- fail "ensemble.addresses is needed: the client ports of the members as HOST:PORT" -}}
{{- end -}}
{{- join "," .Values.ensemble.addresses -}}
{{- end -}}
