// Polling that asks only for news: sends the ETag it has, leaves the page alone on 304, rests while hidden.
const etags = new Map(); // by address: what is polled may be replaced by what it gets

const addressOf = (element) => element.getAttribute("hx-get");

export function start() {
  document.addEventListener("htmx:configRequest", ({ detail }) => {
    const etag = detail.elt.matches("[data-poll]") && etags.get(addressOf(detail.elt));
    if (etag) detail.headers["If-None-Match"] = etag;
  });
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.detail.elt.matches("[data-poll]") && document.hidden) event.preventDefault();
  });
  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    const { elt } = detail.requestConfig;
    // htmx would put the empty body of a 304 in place of what is shown.
    if (detail.xhr.status === 304) detail.shouldSwap = false;
    else if (elt.matches("[data-poll]")) etags.set(addressOf(elt), detail.xhr.getResponseHeader("ETag"));
    else etags.clear(); // something else has changed the page: what was asked before is no measure
  });
}
