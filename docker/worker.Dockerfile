# Inference workers: no Django, no database driver, no password. On a CPU they need no torch.
# docker-compose.gpu.yml builds the image for a GPU: torch of PyPI, which carries CUDA (5.6 GB), and its lock file.
FROM python:3.11.14-slim-bookworm
ARG LOCK=requirements-worker.lock
ARG TORCH=""
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
RUN test -z "$TORCH" || pip install --no-cache-dir $TORCH
COPY requirements-worker.lock requirements-gpu.lock ./
RUN pip install --no-cache-dir --require-hashes --no-deps -r "$LOCK"
COPY contract ./contract
COPY decoding ./decoding
COPY inference_worker ./inference_worker
RUN useradd --system --uid 10001 teleder && install -d -o teleder -m 0700 /media
USER teleder
ENV TELEDER_STORAGE=file:///media
