"""A real browser on a page of another site: what it lets a script read and send."""

import html
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from neve.testing.server import LiveServer

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium")

PAGE = """<!doctype html><title>viewer</title><pre></pre><script>
async function ask([url, options]) {
  try {
    const answer = await fetch(url, options);
    return [answer.status, Object.fromEntries(answer.headers), await answer.text()];
  } catch (error) { return [0, {}, String(error)]; }
}
(async () => {
  const answers = [];
  for (const question of QUESTIONS) answers.push(await ask(question));
  document.querySelector("pre").textContent = JSON.stringify(answers);
})();
</script>"""

Answer = tuple[int, dict[str, str], str]
Ask = Callable[[list[tuple[str, dict[str, Any]]]], list[Answer]]


@pytest.fixture
def ask(tmp_path: Path) -> Iterator[Ask]:
    """Let the script of a page put questions, one after the other; status 0 is the browser's no."""
    pages: list[bytes] = []

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(pages[0])

        def log_message(self, *_: object) -> None:
            pass

    site = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=site.serve_forever, daemon=True).start()

    def put(questions: list[tuple[str, dict[str, Any]]]) -> list[Answer]:
        pages[:] = [PAGE.replace("QUESTIONS", json.dumps(questions)).encode()]
        browser = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
        browser += [f"--user-data-dir={tmp_path}", "--virtual-time-budget=30000"]
        done = subprocess.run(
            [*browser, f"http://127.0.0.1:{site.server_port}/"],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        shown = re.search(r"<pre>(.*)</pre>", done.stdout, re.DOTALL)
        assert shown is not None, done.stdout + done.stderr
        return [tuple(answer) for answer in json.loads(html.unescape(shown[1]))]

    yield put
    site.shutdown()
    site.server_close()


@pytest.mark.slow
def test_a_viewer_reads_what_it_may_and_an_uploader_writes(
    live_server: LiveServer, bucket: str, publish: Callable[[str], None], ask: Ask
) -> None:
    s3 = live_server.client()
    publish(bucket)
    s3.put_object(Bucket=bucket, Key="c/0", Body=b"0123456789")
    chunk, absent = (f"{live_server.endpoint}/{bucket}/{key}" for key in ("c/0", "absent"))
    upload = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "new"})
    some = {"headers": {"Range": "bytes=2-4"}}
    write = {"method": "PUT", "body": "new", "headers": {"content-type": "text/x"}}
    questions: list[tuple[str, dict[str, Any]]] = [(chunk, some), (absent, {}), (upload, write)]
    assert [answer[0] for answer in ask(questions)] == [0, 0, 0]
    rule = {
        "AllowedOrigins": ["http://127.0.0.1:*"],
        "AllowedMethods": ["GET", "PUT"],
        "AllowedHeaders": ["range", "content-type"],
        "ExposeHeaders": ["ETag", "Content-Range"],
    }
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
    other = {"headers": {"x-other": "1"}}
    read, missing, written, refused = ask([*questions, (chunk, other)])
    assert (read[0], read[2]) == (206, "234")
    assert read[1]["content-range"] == "bytes 2-4/10"
    assert read[1]["etag"] == s3.head_object(Bucket=bucket, Key="c/0")["ETag"]
    assert missing[0] == 404
    assert "NoSuchKey" in missing[2]
    assert written[0] == 200
    assert s3.get_object(Bucket=bucket, Key="new")["Body"].read() == b"new"
    assert refused[0] == 0
