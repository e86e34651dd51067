{{/* The groups of a file of rules, with what the values change of its alerts. */}}
{{- define "zkwarden.groups" -}}
{{- $values := (index . 0).Values.prometheusRule -}}
{{- range $group := (index . 1).groups }}
{{- $rules := list }}
{{- range $rule := $group.rules }}
{{- $change := dict }}
{{- if $rule.alert }}
{{- $change = get $values.alerts $rule.alert | default dict }}
{{- $_ := set $rule "labels" (merge (deepCopy ($change.labels | default dict)) (deepCopy $values.alertLabels) ($rule.labels | default dict)) }}
{{- $_ := set $rule "annotations" (merge (deepCopy ($change.annotations | default dict)) ($rule.annotations | default dict)) }}
{{- if and $values.runbookUrlBase $rule.annotations.runbook_url }}
{{- $_ := set $rule.annotations "runbook_url" (printf "%s/%s" (trimSuffix "/" $values.runbookUrlBase) (base $rule.annotations.runbook_url)) }}
{{- end }}
{{- if $rule.expr }}
{{- range $name, $threshold := $values.thresholds }}
{{- $_ := set $rule "expr" (regexReplaceAll (printf "[0-9.]+ # threshold %s\\b" $name) $rule.expr (printf "%s # threshold %s" (toString $threshold) $name)) }}
{{- end }}
{{- end }}
{{- range $field := list "expr" "for" "keep_firing_for" }}
{{- if hasKey $change $field }}
{{- $_ := set $rule $field (get $change $field) }}
{{- end }}
{{- end }}
{{- end }}
{{- if ne (toString (get $change "enabled")) "false" }}
{{- $rules = append $rules $rule }}
{{- end }}
{{- end }}
{{- if $rules }}
{{- $_ := set $group "rules" $rules }}
- {{ toYaml $group | nindent 2 | trim }}
{{- end }}
{{- end }}
{{- end }}
