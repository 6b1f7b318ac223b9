"""Compresses pages (gzip), as style sheets and scripts are by WhiteNoise. Photos are compressed already.

Who sees the length of compressed answers and can have a page repeat text of theirs beside a secret can guess the secret
(BREACH). Django masks the token of each form anew and adds a random length. What else is secret on a page, the keys of a
second factor, is sent as it is; so are the answers of the API, where a token may be one.
"""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware

UNCOMPRESSED = "mfa_"  # beginning of the names of views that show a key or recovery codes


class PageCompressionMiddleware(GZipMiddleware):
    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        is_page = response.headers.get("Content-Type", "").startswith("text/html")
        view = request.resolver_match.view_name if request.resolver_match else ""
        if not is_page or response.streaming or view.startswith(UNCOMPRESSED):
            return response
        return super().process_response(request, response)
