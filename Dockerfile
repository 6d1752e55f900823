# The handler in a container, for trying it: see docker-compose.yml.
FROM docker.io/library/python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/mailer
ENV PATH=/opt/mailer/bin:$PATH
WORKDIR /src
COPY requirements-build.lock requirements.lock ./
RUN pip install --require-hashes --requirement requirements-build.lock \
    && pip install --require-hashes --no-build-isolation --use-pep517 --requirement requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY mailer mailer
COPY rules rules
COPY templates templates
RUN pip install --no-deps --no-build-isolation .

FROM docker.io/library/python:3.11-slim-bookworm
RUN useradd --uid 10001 --create-home --home-dir /var/lib/mailer mailer
COPY --from=build /opt/mailer /opt/mailer
COPY docker/start /opt/mailer/bin/start
# Python needs no installed locale to speak Russian: the encoding comes from LANG, the language from LANGUAGE.
ENV PATH=/opt/mailer/bin:$PATH LANG=C.UTF-8 LANGUAGE=ru PYTHONUNBUFFERED=1
USER mailer
WORKDIR /var/lib/mailer
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s CMD ["mailer", "status"]
CMD ["start"]
