"""A model's server that refuses, is busy, breaks, hangs or stops half way: one line, one arm."""

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from tiny_model import llama

from agent.settings import worker_environment
from memory.records import Model
from tools.clients.backends.lm_eval_process import ArmFailed
from tools.clients.backends.lm_eval_runner import LmEvalRunner
from tools.clients.backends.served_backend import ServedBackend, Server
from tools.clients.executors.executor import LocalExecutor

TINY = Model(id="org/tiny")


GARBAGE = json.dumps({"choices": []}).encode()


class Trouble(ThreadingHTTPServer):
    """Answers as ``how`` says at the moment: status, body, promised length, seconds of silence."""

    daemon_threads = True
    how = (200, GARBAGE, None, 0.0)

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        status, body, length, silence = self.server.how
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(silence)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.mark.weights
def test_every_failure_is_one_line_of_that_arm(tmp_path):
    tokenizer = llama(tmp_path / "tiny")
    with Trouble(("127.0.0.1", 0), Handler) as server:
        url = f"http://127.0.0.1:{server.server_port}/v1"
        backend = ServedBackend([Server(TINY.id, url, TINY.id, tokenizer)], "sesame")
        executor = LocalExecutor(sys.executable, worker_environment())
        made = LmEvalRunner([backend], executor, tmp_path)
        arm = made.arms([TINY])[0][0]

        def said(*how):
            server.how = how
            with pytest.raises(ArmFailed) as raised:
                list(made.log_probs(arm, ["abc"]))
            assert "\n" not in str(raised.value)
            assert "sesame" not in str(raised.value)
            return str(raised.value)

        try:
            for status in (401, 429, 500):
                assert str(status) in said(status, b'{"error": "no"}', None, 0.0)
            ended = "The evaluation process ended"
            assert ended not in said(200, b'{"choices": [{"index"', 4000, 0.0)  # half a stream
            assert ended not in said(*Trouble.how)
            made._timeout = 3.0
            assert "No answer for 3 s" in said(200, GARBAGE, None, 30.0)
        finally:
            made.close()
