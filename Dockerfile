# The course with all that it uses, ready without a network:
#
#   docker build -t many-hands .
#   docker run --rm -p 8888:8888 many-hands
#
# Open the address that it prints. The same image serves Binder, dev containers
# and JupyterHub, which start their own command in it.
ARG BASE=docker.io/library/golang:1.26.8-bookworm
FROM ${BASE}

RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates ffmpeg gcc git libc6-dev procps python3 python3-venv redis-server tini \
 && rm -rf /var/lib/apt/lists/*

# Binder passes these names and chooses their values.
ARG NB_USER=student
ARG NB_UID=1000
RUN useradd --create-home --shell /bin/bash --uid ${NB_UID} ${NB_USER}
ENV HOME=/home/${NB_USER} GOPATH=/home/${NB_USER}/go GOTOOLCHAIN=local
WORKDIR ${HOME}/many-hands
COPY --chown=${NB_UID}:${NB_UID} . .
RUN chown ${NB_UID}:${NB_UID} .
USER ${NB_UID}

# Whatever starts Jupyter here finds the kernel and the course's settings.
ENV PATH=${HOME}/many-hands/.venv/bin:${HOME}/bin:/usr/local/go/bin:${PATH} \
    JUPYTER_CONFIG_PATH=${HOME}/many-hands/internal/lab/image:${HOME}/many-hands/internal/lab/config
RUN go build -o ${HOME}/bin/manyhands . \
 && manyhands lab --prepare \
 && .venv/bin/pip install --no-cache-dir --require-hashes -r tools/hub.txt

EXPOSE 8888
HEALTHCHECK --start-period=30s CMD ["python3", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8888/api', timeout=5)"]
ENTRYPOINT ["tini", "--"]
CMD ["manyhands", "lab", "--host", "0.0.0.0", "--port", "8888", "--no-browser"]
