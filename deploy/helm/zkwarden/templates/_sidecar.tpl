{{/*
The exporter beside a server, for charts that include this one:

  initContainers:
    {{- include "zkwarden.sidecar.native" .Subcharts.zkwarden | nindent 4 }}
  volumes:
    {{- include "zkwarden.sidecar.volumes" .Subcharts.zkwarden | nindent 4 }}

Each template gives a list. A native sidecar stands among the init containers
(Kubernetes 1.29 or newer); it starts before ZooKeeper and ends after it.
zkwarden.sidecar.container stands among the containers, for older clusters.

A pod is ready when all of its containers are, and a native sidecar with a
startup probe keeps the others from starting. So there is neither a readiness
nor a startup probe, and the liveness probe asks the process alone: nothing
that happens to zkwarden may take a server out of the ensemble's DNS.
*/}}
{{- define "zkwarden.sidecar.native" -}}
- name: zkwarden
  restartPolicy: Always
  {{- include "zkwarden.sidecar.spec" . | nindent 2 }}
{{- end -}}

{{- define "zkwarden.sidecar.container" -}}
- name: zkwarden
  {{- include "zkwarden.sidecar.spec" . | nindent 2 }}
{{- end -}}

{{- define "zkwarden.sidecar.spec" -}}
{{- $sidecar := .Values.sidecar -}}
{{- $audits := $sidecar.audit.enabled -}}
image: {{ include "zkwarden.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args:
  - run
  - --zookeeper.address={{ $sidecar.address }}
  - --web.listen-address=:{{ $sidecar.port }}
  {{- include "zkwarden.commonArgs" . | trim | nindent 2 }}
  {{- if $sidecar.dataVolume }}
  - --collector.disk=/zookeeper
  {{- end }}
  {{- if $audits }}
  - --audit.instance={{ $sidecar.audit.instance }}
  {{- if $sidecar.audit.txnlog.volume }}
  - --audit.txnlog-dir=/zookeeper-log/{{ $sidecar.audit.txnlog.path }}
  {{- end }}
  {{- include "zkwarden.auditArgs" . | trim | nindent 2 }}
  {{- end }}
  {{- range $sidecar.extraArgs }}
  - {{ . | quote }}
  {{- end }}
env:
  {{- include "zkwarden.env" . | nindent 2 }}
ports:
  - name: zkwarden
    containerPort: {{ $sidecar.port }}
livenessProbe:
  {{- include "zkwarden.probe" (list . $sidecar.port "/-/healthy") | nindent 2 }}
  failureThreshold: 4
resources:
  {{- toYaml (ternary $sidecar.audit.resources $sidecar.resources $audits) | nindent 2 }}
securityContext:
  {{- include "zkwarden.securityContext" (dict "user" $sidecar.runAsUser "group" $sidecar.runAsGroup) | nindent 2 }}
{{- $mounts := include "zkwarden.mounts" (dict "ctx" . "audit" $audits) | trim }}
{{- if or $mounts $audits $sidecar.dataVolume }}
volumeMounts:
  {{- with $mounts }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- with $sidecar.dataVolume }}
  - {name: {{ . }}, mountPath: /zookeeper, readOnly: true}
  {{- end }}
  {{- if $audits }}
  {{- with $sidecar.audit.txnlog.volume }}
  - {name: {{ . }}, mountPath: /zookeeper-log, readOnly: true}
  {{- end }}
  - {name: {{ $sidecar.audit.volumeName }}, mountPath: /var/lib/zkwarden}
  {{- end }}
{{- end }}
{{- end -}}

{{/* The volumes of the sidecar, or nothing where it needs none. */}}
{{- define "zkwarden.sidecar.volumes" -}}
{{- include "zkwarden.fileVolumes" (dict "ctx" . "audit" .Values.sidecar.audit.enabled) | trim }}
{{- if .Values.sidecar.audit.enabled }}
- name: {{ .Values.sidecar.audit.volumeName }}
  emptyDir: {sizeLimit: {{ .Values.sidecar.audit.sizeLimit }}}
{{- end }}
{{- end -}}
