#!/usr/bin/env python3
"""octoprint.py PORT GCODE FOLDER: OctoPrint on a serial port, told over its own API to print a file.

Prints a line for each thing that happened: its process when it serves (`serves PID`), `prints` when it does. Ends when its
input does. Run by the Python that OctoPrint is installed for.
"""

import http.client
import json
import os
import pathlib
import socket
import subprocess
import sys
import time
import urllib.request

KEY = "0123456789ABCDEF0123456789ABCDEF"
PATIENCE = 120


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def configure(folder, serial):
    """No wizard, no questions, no look for updates: one port, and the key that this script holds."""
    config = {
        "server": {"firstRun": False, "onlineCheck": {"enabled": False}, "seenWizards": {}},
        "api": {"key": KEY, "allowCrossOrigin": False},
        "accessControl": {"autologinLocal": True},
        "plugins": {"_disabled": ["tracking", "softwareupdate", "pluginmanager", "announcements", "virtual_printer"]},
        "serial": {"additionalPorts": [serial], "baudrate": 115200, "longRunningCommands": ["G28", "M109", "M190"]},
    }
    # JSON is YAML.
    (folder / "config.yaml").write_text(json.dumps(config))


class Api:
    def __init__(self, port):
        self.base = f"http://127.0.0.1:{port}/api/"

    def call(self, path, body=None, kind="application/json"):
        headers = {"X-Api-Key": KEY, "Content-Type": kind}
        request = urllib.request.Request(self.base + path, data=body, headers=headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
            return json.loads(text) if text else {}

    def tell(self, path, **command):
        return self.call(path, json.dumps(command).encode())

    def upload(self, name, gcode):
        edge = "----------layerlock"
        head = f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        body = (head + "Content-Type: application/octet-stream\r\n\r\n").encode() + gcode + f"\r\n--{edge}--\r\n".encode()
        return self.call("files/local", body, f"multipart/form-data; boundary={edge}")


def until(what, asked):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            if asked():
                return
        except (OSError, http.client.HTTPException):
            pass
        time.sleep(0.2)
    sys.exit(f"OctoPrint: {what} did not happen within {PATIENCE} seconds")


def main():
    serial, gcode, folder = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    configure(folder, serial)
    port = free_port()
    program = pathlib.Path(sys.executable).with_name("octoprint")
    command = [str(program), "serve", "--host", "127.0.0.1", "--port", str(port), "--basedir", str(folder)]
    command += ["--iknowwhatimdoing"] if os.getuid() == 0 else []
    with open(folder / "said", "wb") as said:
        octoprint = subprocess.Popen(command, stdout=said, stderr=said)
    try:
        api = Api(port)
        until("serving", lambda: api.call("version"))
        print("serves", octoprint.pid, flush=True)
        sys.stdin.readline()
        api.tell("connection", command="connect", port=serial, baudrate=115200)
        state = lambda: api.call("connection")["current"]["state"]
        until("connecting", lambda: state() == "Operational")
        api.upload("bench.gcode", gcode.read_bytes())
        api.tell("files/local/bench.gcode", command="select", print=True)
        until("printing", lambda: state() == "Printing")
        print("prints", flush=True)
        sys.stdin.read()
    finally:
        octoprint.terminate()
        octoprint.wait(30)


main()
