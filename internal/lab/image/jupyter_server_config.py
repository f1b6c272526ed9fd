"""For the servers in the course's image that `manyhands lab` does not start,
such as those of a JupyterHub or of Binder: they, too, open the student's own
copies of the notebooks. The Dockerfile names this folder to Jupyter."""

import pathlib
import subprocess

course = pathlib.Path(__file__).resolve().parents[3]
# If it fails, the server's log says why; what is in work/ already is as good as before.
subprocess.run(["manyhands", "lab", "--deliver"], cwd=course)
if (course / "work").is_dir():
    c.ServerApp.root_dir = str(course / "work")  # noqa: F821: c comes from Jupyter
    c.LabApp.workspaces_dir = str(course / ".cache" / "jupyter" / "lab" / "workspaces")  # noqa: F821
