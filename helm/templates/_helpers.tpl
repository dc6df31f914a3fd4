{{- define "poller.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* 52: what is left of 63 for a StatefulSet's revision hash and the names of what belongs to it. */}}
{{- define "poller.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains (include "poller.name" .) .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "poller.name" .) | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "poller.selectorLabels" -}}
app.kubernetes.io/name: {{ include "poller.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: poller
{{- end -}}

{{- define "poller.labels" -}}
{{- $own := fromYaml (include "poller.selectorLabels" .) -}}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_") -}}
{{- $_ := set $own "app.kubernetes.io/version" .Chart.AppVersion -}}
{{- $_ := set $own "app.kubernetes.io/managed-by" .Release.Service -}}
{{- toYaml (merge $own .Values.commonLabels) -}}
{{- end -}}

{{- define "poller.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "poller.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "poller.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* The mapping files of the values, as the data of a ConfigMap. */}}
{{- define "poller.files" -}}
{{- $files := dict -}}
{{- if or .Values.mappings .Values.functions -}}
{{- $own := dict "mappings" .Values.mappings -}}
{{- if .Values.functions -}}{{- $_ := set $own "functions" .Values.functions -}}{{- end -}}
{{- $_ := set $files "mappings.yaml" (toYaml $own) -}}
{{- end -}}
{{- range $name, $content := .Values.config -}}
{{- $_ := set $files $name (kindIs "string" $content | ternary $content (toYaml $content)) -}}
{{- end -}}
{{- toYaml $files -}}
{{- end -}}

{{- define "poller.hasFiles" -}}
{{- if or .Values.mappings .Values.functions .Values.config .Values.existingConfigMap -}}yes{{- end -}}
{{- end -}}

{{- define "poller.configMapName" -}}
{{- default (printf "%s-mappings" (include "poller.fullname" .)) .Values.existingConfigMap -}}
{{- end -}}

{{/* Seconds a pod has to end in. A function that is not listed here is given 60 s. */}}
{{- define "poller.gracePeriod" -}}
{{- if kindIs "invalid" .Values.terminationGracePeriodSeconds -}}
{{- $longest := 60.0 -}}
{{- range $name, $function := .Values.functions -}}
{{- $default := hasKey $function "lambda" | ternary 900 30 -}}
{{- $longest = maxf $longest (default $default $function.timeout) -}}
{{- end -}}
{{- add (ceil $longest | int64) 35 -}}
{{- else -}}
{{- .Values.terminationGracePeriodSeconds | int64 -}}
{{- end -}}
{{- end -}}

{{- define "poller.state" -}}
{{- if eq .Values.leases.backend "dynamodb" -}}
{{- $table := required "leases.table is needed with leases.backend dynamodb" .Values.leases.table -}}
{{- printf "dynamodb://%s" $table -}}
{{- with .Values.leases.namespace }}?namespace={{ . }}{{ end -}}
{{- else if eq .Values.leases.backend "memory" -}}
memory://
{{- else -}}
sqlite:////var/lib/poller/state.db
{{- end -}}
{{- end -}}

{{/* What cannot work is refused, each in one sentence. */}}
{{- define "poller.check" -}}
{{- $scaled := or (gt (int .Values.replicaCount) 1) .Values.autoscaling.enabled .Values.keda.enabled -}}
{{- if and (eq .Values.leases.backend "file") $scaled -}}
{{- fail "leases.backend file is for one pod: set leases.backend to dynamodb (or to memory, if only queues are read) to run more than one, or to scale" -}}
{{- end -}}
{{- if and (ne .Values.leases.backend "dynamodb") (or .Values.leases.table .Values.leases.namespace) -}}
{{- fail "leases.table and leases.namespace belong to leases.backend dynamodb" -}}
{{- end -}}
{{- if eq .Values.leases.backend "memory" -}}
{{- range .Values.mappings -}}
{{- $arn := coalesce .EventSourceArn .eventSourceArn "" -}}
{{- if not (regexMatch "^arn:[^:]*:sqs:" $arn) -}}
{{- fail (printf "leases.backend memory keeps no positions, which %s needs: set it to dynamodb or file" $arn) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and .Values.existingConfigMap (or .Values.mappings .Values.functions .Values.config) -}}
{{- fail "existingConfigMap takes the place of functions, mappings and config: give one or the other" -}}
{{- end -}}
{{- if and (not (include "poller.hasFiles" .)) (not .Values.api.enabled) -}}
{{- fail "there is nothing to run: give mappings, config or existingConfigMap, or enable the API" -}}
{{- end -}}
{{- if and .Values.config (or .Values.mappings .Values.functions) (hasKey .Values.config "mappings.yaml") -}}
{{- fail "config may not hold mappings.yaml: functions and mappings make the file of that name" -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled .Values.keda.enabled -}}
{{- fail "autoscaling and keda both set the number of pods: enable one of them" -}}
{{- end -}}
{{- if and .Values.keda.enabled .Values.keda.iteratorAge.enabled (eq (int .Values.keda.minReplicaCount) 0) -}}
{{- fail "keda.minReplicaCount 0 is for queues only: at zero pods nobody knows the iterator age" -}}
{{- end -}}
{{- if and .Values.keda.enabled (not .Values.keda.sqs) (not .Values.keda.iteratorAge.enabled) (not .Values.keda.triggers) -}}
{{- fail "keda has nothing to scale on: give keda.sqs, keda.iteratorAge or keda.triggers" -}}
{{- end -}}
{{- if and .Values.metrics.serviceMonitor.enabled .Values.metrics.podMonitor.enabled -}}
{{- fail "metrics.serviceMonitor and metrics.podMonitor would scrape every pod twice: enable one of them" -}}
{{- end -}}
{{- if and .Values.api.enabled (not .Values.api.keysSecretName) (not .Values.api.tokenSecretName) -}}
{{- fail "api.keysSecretName or api.tokenSecretName is needed with api.enabled: outside loopback the API asks who calls" -}}
{{- end -}}
{{- if lt (int (include "poller.gracePeriod" .)) 15 -}}
{{- fail "terminationGracePeriodSeconds of less than 15 leaves no time to finish in" -}}
{{- end -}}
{{- end -}}
