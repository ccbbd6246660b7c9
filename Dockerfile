# editeval on CPUs: the built-in benchmark, judges behind an API, reports. docs/install.md has the commands.
FROM python:3.11-slim
WORKDIR /opt/editeval
COPY requirements/demo.txt requirements/
RUN pip install --no-cache-dir --require-hashes --requirement requirements/demo.txt
COPY pyproject.toml setup.py README.md LICENSE config.yaml config_multi_gpu.yaml ./
COPY configs configs
COPY src src
RUN pip install --no-cache-dir --no-deps --no-build-isolation .
WORKDIR /work
ENTRYPOINT ["editeval"]
CMD ["run"]
