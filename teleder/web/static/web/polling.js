// Conditional polling: sends the known ETag, leaves the page unchanged on 304, pauses while hidden.
const etags = new Map(); // by URL: the polled element may be replaced by the response

const addressOf = (element) => element.getAttribute("hx-get");

let isStarted = false;

export function start() {
  if (isStarted) return;
  isStarted = true;
  document.addEventListener("htmx:configRequest", ({ detail }) => {
    const etag = detail.elt.matches("[data-poll]") && etags.get(addressOf(detail.elt));
    if (etag) detail.headers["If-None-Match"] = etag;
  });
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.detail.elt.matches("[data-poll]") && document.hidden) event.preventDefault();
  });
  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    const { elt } = detail.requestConfig;
    // htmx would replace the content by the empty body of a 304.
    if (detail.xhr.status === 304) detail.shouldSwap = false;
    else if (elt.matches("[data-poll]")) etags.set(addressOf(elt), detail.xhr.getResponseHeader("ETag"));
    // Another request has changed the page: known ETags no longer match it. What only looks at a row has not.
    else if (!["preview", "ask"].includes(detail.target.id)) etags.clear();
  });
}
