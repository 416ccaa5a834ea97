FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    CREATIO_SYNC_DATA=/data

RUN useradd --system --uid 10001 --home-dir /app app \
    && install -d -o app -g app /data

WORKDIR /app
# Before the code, so that a change of the code does not install everything anew.
COPY requirements.txt ./
RUN pip install -r requirements.txt

COPY . .

# Under names that hold their hash. The keys are only there for the settings to load; nothing is made with them.
ENV STATIC_ROOT=/app/staticfiles
RUN DJANGO_SECRET_KEY=build TOKEN_ENCRYPTION_KEYS=build DATABASE_URL=sqlite:////tmp/none \
    python manage.py collectstatic --noinput --verbosity 0

USER app
VOLUME /data
EXPOSE 8000
CMD ["gunicorn", "creatio_sync.wsgi", "--bind", "0.0.0.0:8000", "--workers", "2", "--threads", "8", "--worker-tmp-dir", "/dev/shm"]
