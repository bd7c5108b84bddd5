"""A real RTSP server on loopback, from GStreamer; a script for a Python that has `gi`, run as a process of its own.

    python3 rtsp_server.py [--port PORT] [--digest-port PORT]

Prints `{"port": ..., "digest_port": ...}` on one line when it is ready and serves until it is killed. Both ports serve
the same paths; those below `/secret` want the user `viewer` with the password `p:a/s@s`, by the Basic scheme on the
first port and by Digest on the second.

    /h264  /mjpeg  /secret/h264     a moving ball, 160 x 120 at 10 pictures a second
    /short                          the same, which ends after 15 pictures
    /resize                         160 x 120, after 1 s 208 x 160
    /stall                          sends nothing more after 1 s and keeps the connection
    /udp                            a moving ball, over UDP only

The standard library and GStreamer only: this runs outside the project's own environment.
"""

import argparse
import json
from collections.abc import Callable
from typing import Any

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

USER = "viewer"
PASSWORD = "p:a/s@s"
SOURCE = "videotestsrc is-live=true pattern=ball"
CAPS = "video/x-raw,format=I420,width=160,height=120,framerate=10/1"
H264 = "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=10 ! rtph264pay name=pay0 pt=96 config-interval=-1"
PIPELINES = {
    "/h264": f"( {SOURCE} ! {CAPS} ! {H264} )",
    "/mjpeg": f"( {SOURCE} ! {CAPS} ! jpegenc ! rtpjpegpay name=pay0 pt=26 )",
    "/secret/h264": f"( {SOURCE} ! {CAPS} ! {H264} )",
    "/short": f"( {SOURCE} num-buffers=15 ! {CAPS} ! {H264} )",
    "/resize": f"( {SOURCE} ! videoscale ! capsfilter name=size caps={CAPS} ! {H264} )",
    "/stall": f"( {SOURCE} ! {CAPS} ! {H264.split(' ! ')[0]} ! valve name=gate ! {H264.split(' ! ')[1]} )",
}
PIPELINES["/udp"] = PIPELINES["/h264"]
CHANGES = {
    "/resize": ("size", "caps", lambda: Gst.Caps.from_string(CAPS.replace("160", "208").replace("120", "160"))),
    "/stall": ("gate", "drop", lambda: True),
}


def factory_of(path: str) -> Any:
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(PIPELINES[path])
    if path == "/udp":
        factory.set_protocols(GstRtsp.RTSPLowerTrans.UDP)
    for role, may_watch in (("viewer", True), ("anyone", not path.startswith("/secret"))):
        # Without access the answer would be 404; without construction it is 401, which asks for the password.
        rights = f"media.factory.access=(boolean)true, media.factory.construct=(boolean){str(may_watch).lower()}"
        factory.add_role_from_structure(Gst.Structure.new_from_string(f"{role}, {rights}"))
    if path in CHANGES:
        factory.connect("media-configure", change_later, *CHANGES[path])
    return factory


def change_later(_factory: Any, media: Any, element_name: str, name: str, value: Callable[[], object]) -> None:
    element = media.get_element().get_by_name(element_name)

    def change() -> Any:
        element.set_property(name, value())
        return GLib.SOURCE_REMOVE

    GLib.timeout_add(1000, change)


def token_of(role: str) -> Any:
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", role)
    return token


def make_server(port: int, *, is_digest: bool) -> Any:
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(str(port))
    auth = GstRtspServer.RTSPAuth()
    if is_digest:
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest(USER, PASSWORD, token_of("viewer"))
    else:
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(USER, PASSWORD), token_of("viewer"))
    auth.set_default_token(token_of("anyone"))
    server.set_auth(auth)
    for path in PIPELINES:
        server.get_mount_points().add_factory(path, factory_of(path))
    if not server.attach(None):
        raise SystemExit(f"port {port} can't be bound")
    return server


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--digest-port", type=int, default=0)
    wanted = parser.parse_args()
    Gst.init(None)
    basic = make_server(wanted.port, is_digest=False)
    digest = make_server(wanted.digest_port, is_digest=True)
    ports = {"port": basic.get_bound_port(), "digest_port": digest.get_bound_port()}
    print(json.dumps(ports), flush=True)  # noqa: T201
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
