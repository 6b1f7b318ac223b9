# Web, results worker, sweeper and beat: no torch, no image decoder. With LOCK=requirements-backup.lock the backup service, too.
FROM python:3.11.14-slim-bookworm
ARG LOCK=requirements-web.lock
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 DJANGO_SETTINGS_MODULE=teleder.settings
WORKDIR /app
COPY requirements-web.lock requirements-backup.lock ./
RUN pip install --no-cache-dir --require-hashes --no-deps -r "$LOCK"
COPY manage.py ./
COPY teleder ./teleder
COPY contract ./contract
# The key is for this step only: collectstatic reads the settings, no secret is baked in.
RUN TELEDER_SECRET_KEY=build TELEDER_INSECURE_COOKIES=1 TELEDER_PHOTO_KEYS=dGVzdHMtb25seS10ZXN0cy1vbmx5LXRlc3RzLW9ubHk= DATABASE_URL=postgresql://none/none REDIS_URL=redis://none/0 \
    python manage.py collectstatic --no-input \
 && useradd --system --uid 10001 teleder \
 && install -d -o teleder -m 0700 /media /erased /backups
USER teleder
ENV TELEDER_STORAGE=file:///media TELEDER_ERASED_LIST=/erased/list.jsonl
EXPOSE 8000
CMD ["granian", "--interface", "wsgi", "--workers", "2", "--blocking-threads", "4", "--no-ws", "--backpressure", "512", "--workers-kill-timeout", "8", "--respawn-failed-workers", "teleder.wsgi:application", "--host", "0.0.0.0", "--port", "8000"]
