{{/* What every container of zkwarden may do: nothing. (dict "user" 65532 "group" 65532) */}}
{{- define "zkwarden.securityContext" -}}
runAsNonRoot: true
runAsUser: {{ .user }}
runAsGroup: {{ .group }}
readOnlyRootFilesystem: true
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* Go keeps its memory below the limit instead of being killed at it. */}}
{{- define "zkwarden.env" -}}
- name: GOMEMLIMIT
  valueFrom:
    resourceFieldRef:
      resource: limits.memory
{{- end -}}

{{/* Asks the process alone: not ZooKeeper, no sink, no disk. (list . PORT) */}}
{{- define "zkwarden.probe" -}}
{{- $ := index . 0 -}}
{{- if $.Values.web.configSecret -}}
exec:
  command: ["/zkwarden", "health", "--web.listen-address=:{{ index . 1 }}"{{ if eq (index . 2) "/-/ready" }}, "--ready"{{ end }}]
{{- else -}}
httpGet:
  path: {{ index . 2 }}
  port: {{ index . 1 }}
{{- end }}
periodSeconds: 15
timeoutSeconds: 5
{{- end -}}

{{/* Flags that all share. The credentials of sessions are for the auditor alone. */}}
{{- define "zkwarden.commonArgs" -}}
{{- range .Values.ensemble.members }}
- --ensemble.member={{ . }}
{{- end }}
- --log.level={{ .Values.log.level }}
- --log.format={{ .Values.log.format }}
{{- with .Values.zookeeper.tls }}
{{- if .enabled }}
- --zookeeper.tls
{{- if and .secretName .caKey }}
- --zookeeper.tls-ca-file=/etc/zkwarden/tls/{{ .caKey }}
{{- end }}
{{- if and .secretName .certKey .keyKey }}
- --zookeeper.tls-cert-file=/etc/zkwarden/tls/{{ .certKey }}
- --zookeeper.tls-key-file=/etc/zkwarden/tls/{{ .keyKey }}
{{- end }}
{{- with .serverName }}
- --zookeeper.tls-server-name={{ . }}
{{- end }}
{{- end }}
{{- end }}
{{- if .Values.web.configSecret }}
- --web.config.file=/etc/zkwarden/web/{{ .Values.web.configKey }}
{{- end }}
{{- end -}}

{{- define "zkwarden.authArgs" -}}
{{- if .Values.zookeeper.auth.secretName }}
- --zookeeper.auth-file=/etc/zkwarden/auth/{{ .Values.zookeeper.auth.key }}
{{- end }}
{{- end -}}

{{/* Flags of whoever audits paths or a policy: the auditor, or a sidecar that audits. */}}
{{- define "zkwarden.auditArgs" -}}
{{- $audit := .Values.auditor -}}
- --ensemble.name={{ include "zkwarden.ensemble" . }}
{{- include "zkwarden.authArgs" . }}
{{- if include "zkwarden.policyName" . }}
{{- if $audit.paths }}
{{- fail "auditor.paths and auditor.policy are alternatives: give one of them" }}
{{- end }}
- --audit.policy-file=/etc/zkwarden/policy/{{ $audit.policy.key }}
{{- else if $audit.paths }}
{{- range $audit.paths }}
- --audit.path={{ . }}
{{- end }}
- --audit.level={{ $audit.level }}
{{- else }}
{{- fail "auditor.paths or auditor.policy is needed: which znodes to audit" }}
{{- end }}
- --audit.dir=/var/lib/zkwarden
{{- if $audit.digestKey.secretName }}
- --audit.digest-key-file=/etc/zkwarden/digest-key/{{ $audit.digestKey.key }}
{{- end }}
- --audit.sweep-interval={{ $audit.sweepInterval }}
- --audit.checkpoint-interval={{ $audit.checkpointInterval }}
- --audit.retention-size={{ $audit.retention.size }}
- --audit.retention-time={{ $audit.retention.time }}
- --audit.retention-hard-size={{ $audit.retention.hardSize }}
{{- with $audit.webhook }}
{{- if .url }}
- --sink.webhook.url={{ .url }}
- --sink.webhook.format={{ .format }}
{{- if .httpConfigSecret }}
- --sink.webhook.http-config-file=/etc/zkwarden/webhook/{{ .httpConfigKey }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The ConfigMap with the policy, or nothing without one. */}}
{{- define "zkwarden.policyName" -}}
{{- with .Values.auditor.policy -}}
{{- if and .rules .existingConfigMap -}}
{{- fail "auditor.policy.rules and auditor.policy.existingConfigMap are alternatives: give one of them" -}}
{{- end -}}
{{- if .existingConfigMap -}}
{{- .existingConfigMap -}}
{{- else if .rules -}}
{{- include "zkwarden.fullname" $ }}-policy
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Files for any zkwarden: (dict "ctx" . "audit" true). */}}
{{- define "zkwarden.mounts" -}}
{{- $v := .ctx.Values -}}
{{- if and $v.zookeeper.tls.enabled $v.zookeeper.tls.secretName }}
- {name: zkwarden-tls, mountPath: /etc/zkwarden/tls, readOnly: true}
{{- end }}
{{- if $v.web.configSecret }}
- {name: zkwarden-web, mountPath: /etc/zkwarden/web, readOnly: true}
{{- end }}
{{- if .audit }}
{{- if $v.zookeeper.auth.secretName }}
- {name: zkwarden-auth, mountPath: /etc/zkwarden/auth, readOnly: true}
{{- end }}
{{- if include "zkwarden.policyName" .ctx }}
- {name: zkwarden-policy, mountPath: /etc/zkwarden/policy, readOnly: true}
{{- end }}
{{- if $v.auditor.digestKey.secretName }}
- {name: zkwarden-digest-key, mountPath: /etc/zkwarden/digest-key, readOnly: true}
{{- end }}
{{- if and $v.auditor.webhook.url $v.auditor.webhook.httpConfigSecret }}
- {name: zkwarden-webhook, mountPath: /etc/zkwarden/webhook, readOnly: true}
{{- end }}
{{- end }}
{{- end -}}

{{/* The volumes behind zkwarden.mounts. */}}
{{- define "zkwarden.fileVolumes" -}}
{{- $v := .ctx.Values -}}
{{- if and $v.zookeeper.tls.enabled $v.zookeeper.tls.secretName }}
- name: zkwarden-tls
  secret: {secretName: {{ $v.zookeeper.tls.secretName }}}
{{- end }}
{{- if $v.web.configSecret }}
- name: zkwarden-web
  secret: {secretName: {{ $v.web.configSecret }}}
{{- end }}
{{- if .audit }}
{{- if $v.zookeeper.auth.secretName }}
- name: zkwarden-auth
  secret: {secretName: {{ $v.zookeeper.auth.secretName }}}
{{- end }}
{{- with include "zkwarden.policyName" .ctx }}
- name: zkwarden-policy
  configMap: {name: {{ . }}}
{{- end }}
{{- if $v.auditor.digestKey.secretName }}
- name: zkwarden-digest-key
  secret: {secretName: {{ $v.auditor.digestKey.secretName }}}
{{- end }}
{{- if and $v.auditor.webhook.url $v.auditor.webhook.httpConfigSecret }}
- name: zkwarden-webhook
  secret: {secretName: {{ $v.auditor.webhook.httpConfigSecret }}}
{{- end }}
{{- end }}
{{- end -}}

{{/* What pods of this chart have in common: (dict "ctx" . "of" .Values.auditor). */}}
{{- define "zkwarden.pod" -}}
serviceAccountName: {{ include "zkwarden.serviceAccountName" .ctx }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- with .ctx.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .of.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .of.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .of.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .of.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
