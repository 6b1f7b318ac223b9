// Polling that asks only for news: sends the ETag it has, leaves the page alone on 304, rests while hidden.
let etags = new WeakMap();

export function start() {
  document.addEventListener("htmx:configRequest", ({ detail }) => {
    const etag = etags.get(detail.elt);
    if (etag) detail.headers["If-None-Match"] = etag;
  });
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.detail.elt.matches("[data-poll]") && document.hidden) event.preventDefault();
  });
  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    const { elt } = detail.requestConfig;
    if (detail.xhr.status === 304) return; // app.js leaves the page as it is
    if (elt.matches("[data-poll]")) etags.set(elt, detail.xhr.getResponseHeader("ETag"));
    else etags = new WeakMap(); // something else has changed the page: what was asked before is no measure
  });
}
