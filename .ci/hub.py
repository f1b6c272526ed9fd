"""Starts a JupyterHub in the course's image, has it start a student's server,
and asks that for the student's notebooks. There is no proxy: the hub and the
server are asked themselves."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request

TOKEN, HUB, SERVER = "a-token-for-the-test-alone", 18081, 18889

if "get_config" in globals():  # JupyterHub reads this file as its settings
    from jupyterhub.proxy import Proxy

    class NoProxy(Proxy):
        should_start = False

        async def add_route(self, routespec, target, data): ...
        async def delete_route(self, routespec): ...
        async def get_all_routes(self):
            return {}

    c = get_config()  # noqa: F821
    c.JupyterHub.proxy_class = NoProxy
    c.JupyterHub.authenticator_class = "dummy"
    c.JupyterHub.spawner_class = "simple"
    c.JupyterHub.hub_port = HUB
    c.JupyterHub.db_url = "sqlite:///:memory:"
    c.JupyterHub.cookie_secret = b"0" * 32
    c.JupyterHub.services = [{"name": "test", "api_token": TOKEN}]
    c.JupyterHub.load_roles = [{"name": "test", "services": ["test"], "scopes": ["admin:users", "admin:servers", "access:servers"]}]
    c.Spawner.port = SERVER
    c.Spawner.start_timeout = c.Spawner.http_timeout = 300
    c.Spawner.env_keep = ["PATH", "HOME", "JUPYTER_CONFIG_PATH", "GOPATH", "GOTOOLCHAIN"]  # what a container has anyway
    c.SimpleLocalProcessSpawner.home_dir_template = "/tmp/{username}"
else:
    def ask(method, port, path):
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method, headers={"Authorization": f"token {TOKEN}"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or "null")

    def wait(ready):
        end = time.monotonic() + 400
        while time.monotonic() < end:
            try:
                if answer := ready():
                    return answer
            except urllib.error.URLError:
                pass
            if hub.poll() is not None:
                sys.exit("the hub has ended")
            time.sleep(0.2)
        sys.exit("not ready after 400 s")

    hub = subprocess.Popen(["jupyterhub", "-f", __file__], cwd="/tmp")
    try:
        wait(lambda: ask("GET", HUB, "/hub/api/"))
        ask("POST", HUB, "/hub/api/users/ann")
        ask("POST", HUB, "/hub/api/users/ann/server")
        wait(lambda: ask("GET", HUB, "/hub/api/users/ann")["servers"].get("", {}).get("ready"))
        folder = ask("GET", SERVER, "/user/ann/api/contents")["content"]
        kernels = ask("GET", SERVER, "/user/ann/api/kernelspecs")
    finally:
        hub.terminate()
        hub.wait()
    names = sorted(entry["name"] for entry in folder)
    print("the student's server shows", *names, "and has the kernel", kernels["default"])
    if names[0] != "00-welcome.ipynb" or "practicals" not in names or "lessons" in names or kernels["default"] != "gonb":
        sys.exit("that is not the student's folder")
