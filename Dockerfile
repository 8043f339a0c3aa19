# The program as a clinic's server runs it. docker-compose.yml puts PostgreSQL behind it and TLS in front of it.

FROM python:3.12-slim AS built
WORKDIR /build
RUN python -m venv /takehome
COPY requirements.lock ./
RUN /takehome/bin/pip install --no-cache-dir --require-hashes --requirement requirements.lock
COPY pyproject.toml README.md ./
COPY scheduling ./scheduling
COPY notifications ./notifications
COPY dispensary ./dispensary
RUN /takehome/bin/pip install --no-cache-dir --no-index --no-deps --no-build-isolation .

FROM python:3.12-slim
# The letters of every language that labels and help are printed in; without them that paper is refused, never garbled.
RUN apt-get update && apt-get install --yes --no-install-recommends fonts-noto-core fonts-noto-cjk \
    && rm -rf /var/lib/apt/lists/*
# Three folders of one owner: what the program writes, the keys, and backups, so that a copy of one holds no other.
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin takehome \
    && install --directory --owner=takehome --group=takehome --mode=0700 /data /keys /backups
COPY --from=built /takehome /takehome
ENV PATH=/takehome/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    DISPENSARY_ENV=production \
    DISPENSARY_DATA=/data \
    DISPENSARY_KEYS=/keys/keys.json \
    DISPENSARY_HOST=0.0.0.0 \
    DISPENSARY_PORT=8000
USER takehome
WORKDIR /data
VOLUME ["/data", "/keys", "/backups"]
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request as web; web.urlopen('http://127.0.0.1:8000/health/live', timeout=4)"]
ENTRYPOINT ["dispensary"]
CMD ["serve"]
