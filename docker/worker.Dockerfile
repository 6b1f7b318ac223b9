# Inference workers: no Django, no database driver, no password.
# The torch of PyPI for x86-64 Linux carries CUDA (5.6 GB). For a CPU image build with
#   --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cpu
FROM python:3.11.14-slim-bookworm
ARG TORCH_INDEX=https://pypi.org/simple
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
RUN pip install --no-cache-dir --index-url "$TORCH_INDEX" --extra-index-url https://pypi.org/simple \
    torch==2.14.1 torchvision==0.29.1
COPY requirements-worker.lock ./
RUN pip install --no-cache-dir --require-hashes --no-deps -r requirements-worker.lock
COPY contract ./contract
COPY inference_worker ./inference_worker
RUN useradd --system --uid 10001 teleder && install -d -o teleder -m 0700 /media
USER teleder
ENV TELEDER_STORAGE=file:///media
