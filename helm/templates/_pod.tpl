{{/* The pod, the same in a Deployment and in a StatefulSet. */}}
{{- define "poller.pod" -}}
metadata:
  labels:
    {{- toYaml (merge (fromYaml (include "poller.labels" .)) .Values.podLabels) | nindent 4 }}
  {{- $annotations := deepCopy .Values.podAnnotations }}
  {{- if and .Values.rolloutConfigMap (not .Values.existingConfigMap) (include "poller.hasFiles" .) }}
  {{- $_ := set $annotations "checksum/config" (include "poller.files" . | sha256sum) }}
  {{- end }}
  {{- with $annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "poller.serviceAccountName" . }}
  automountServiceAccountToken: {{ .Values.serviceAccount.automountServiceAccountToken }}
  # A Service's variables could look like settings.
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ include "poller.gracePeriod" . }}
  securityContext:
    {{- toYaml .Values.podSecurityContext | nindent 4 }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: poller
      image: {{ include "poller.image" . | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args:
        - run
        {{- if include "poller.hasFiles" . }}
        - /etc/poller
        {{- end }}
        {{- range .Values.extraArgs }}
        - {{ . | quote }}
        {{- end }}
      env:
        {{- include "poller.env" . | nindent 8 }}
      {{- with .Values.envFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        - name: metrics
          containerPort: {{ .Values.metrics.port }}
        {{- if .Values.api.enabled }}
        - name: http
          containerPort: {{ .Values.api.port }}
        {{- end }}
      {{- with .Values.startupProbe }}
      startupProbe:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .Values.livenessProbe }}
      livenessProbe:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .Values.readinessProbe }}
      readinessProbe:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
      securityContext:
        {{- toYaml .Values.securityContext | nindent 8 }}
      volumeMounts:
        - {name: tmp, mountPath: /tmp}
        {{- if include "poller.hasFiles" . }}
        # The directory and not single files: only so does a changed ConfigMap arrive.
        - {name: mappings, mountPath: /etc/poller, readOnly: true}
        {{- end }}
        {{- if eq .Values.leases.backend "file" }}
        - {name: state, mountPath: /var/lib/poller}
        {{- end }}
        {{- if .Values.api.enabled }}
        - {name: api-secrets, mountPath: /etc/poller-api, readOnly: true}
        {{- end }}
        {{- with .Values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    {{- with .Values.extraContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  volumes:
    - name: tmp
      emptyDir: {}
    {{- if include "poller.hasFiles" . }}
    - name: mappings
      configMap:
        name: {{ include "poller.configMapName" . }}
    {{- end }}
    {{- if and (eq .Values.leases.backend "file") (not .Values.persistence.enabled) }}
    - name: state
      emptyDir: {}
    {{- end }}
    {{- if .Values.api.enabled }}
    - name: api-secrets
      projected:
        # Root's and readable by the group of fsGroup, which is the pod's own.
        defaultMode: 0440
        sources:
          {{- with .Values.api.keysSecretName }}
          - secret: {name: {{ . }}, items: [{key: {{ $.Values.api.keysSecretKey }}, path: keys.yaml}]}
          {{- end }}
          {{- with .Values.api.tokenSecretName }}
          - secret: {name: {{ . }}, items: [{key: {{ $.Values.api.tokenSecretKey }}, path: token}]}
          {{- end }}
    {{- end }}
    {{- with .Values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}

{{- define "poller.env" -}}
- name: POLLER_STATE
  value: {{ include "poller.state" . | quote }}
- name: POLLER_OPS
  value: {{ printf "0.0.0.0:%d" (int .Values.metrics.port) | quote }}
- name: POLLER_METRICS_SHARDS
  value: {{ .Values.metrics.shards | quote }}
# 5 s less than the pod has: to give up what did not finish, and to end.
- name: POLLER_DRAIN_TIMEOUT
  value: {{ sub (int (include "poller.gracePeriod" .)) 5 | quote }}
{{- if .Values.api.enabled }}
- name: POLLER_API
  value: {{ printf "0.0.0.0:%d" (int .Values.api.port) | quote }}
{{- if .Values.api.keysSecretName }}
- name: POLLER_API_KEYS_FILE
  value: /etc/poller-api/keys.yaml
{{- end }}
{{- if .Values.api.tokenSecretName }}
- name: POLLER_API_TOKEN_FILE
  value: /etc/poller-api/token
{{- end }}
{{- $name := include "poller.fullname" . }}
{{- $inside := printf "%s.%s" $name .Release.Namespace }}
{{- $names := list $name $inside (printf "%s.svc" $inside) (printf "%s.svc.cluster.local" $inside) }}
- name: POLLER_API_HOSTS
  value: {{ concat $names .Values.api.hosts | join "," | quote }}
{{- end }}
- name: LOG_LEVEL
  value: {{ .Values.log.level | quote }}
- name: LOG_FORMAT
  value: {{ .Values.log.format | quote }}
{{- with .Values.aws.region }}
- name: AWS_REGION
  value: {{ . | quote }}
- name: AWS_DEFAULT_REGION
  value: {{ . | quote }}
{{- end }}
{{- with .Values.aws.endpointUrl }}
- name: AWS_ENDPOINT_URL
  value: {{ . | quote }}
{{- end }}
{{- with .Values.aws.credentials.secretName }}
- name: AWS_ACCESS_KEY_ID
  valueFrom: {secretKeyRef: {name: {{ . | quote }}, key: AWS_ACCESS_KEY_ID}}
- name: AWS_SECRET_ACCESS_KEY
  valueFrom: {secretKeyRef: {name: {{ . | quote }}, key: AWS_SECRET_ACCESS_KEY}}
- name: AWS_SESSION_TOKEN
  valueFrom: {secretKeyRef: {name: {{ . | quote }}, key: AWS_SESSION_TOKEN, optional: true}}
{{- end }}
{{- with .Values.env }}
{{ toYaml . }}
{{- end }}
{{- end -}}
