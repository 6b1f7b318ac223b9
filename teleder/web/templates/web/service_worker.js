{% load static %}// Keeps the offline pages and what they need, and nothing else: no page of a person, no answer, no photo.
// The same for everybody and in every language: a page that is opened while another worker takes over stays blank in Chromium.
const CACHE = "teleder-offline-{{ version }}";
const ASKED = "{% url 'web:offline' %}";
const PAGES = [{% autoescape off %}{% for page in pages %}"{{ page }}"{% if not forloop.last %}, {% endif %}{% endfor %}{% endautoescape %}];
const FILES = ["{% static 'web/patient.css' %}", "{% static 'web/mark.svg' %}", "{% static 'web/reconnect.js' %}"];

// No skipWaiting: a newer worker begins when no page is open any more.
self.addEventListener("install", (event) => {
  const fill = async () => {
    const kept = [...PAGES, ...FILES];
    const fresh = await Promise.all(kept.map((file) => fetch(file, { credentials: "omit" })));
    if (!fresh.every((answer) => answer.ok)) throw new Error("offline page not available");
    const cache = await caches.open(CACHE);
    await Promise.all(kept.map((file, n) => cache.put(file, fresh[n])));
  };
  event.waitUntil(fill());
});
self.addEventListener("activate", (event) => {
  const begin = async () => {
    const old = (await caches.keys()).filter((name) => name.startsWith("teleder-offline") && name !== CACHE);
    await Promise.all(old.map((name) => caches.delete(name)));
    await self.clients.claim();
  };
  event.waitUntil(begin());
});
self.addEventListener("fetch", (event) => {
  const { request } = event;
  const path = new URL(request.url).pathname;
  const isKept = request.method === "GET" && FILES.includes(path);
  if (request.mode !== "navigate" && !isKept) return;
  event.respondWith(fetch(request).catch(async () => (await kept(isKept ? path : await pageFor(request))) ?? Response.error()));
});

const kept = (file) => caches.match(file, { cacheName: CACHE });

// In the language of the last page, which that page has noted (offline.js); another one in place of the answer to a form.
async function pageFor({ method }) {
  const noted = await (await caches.match(ASKED, { cacheName: "teleder-language" }))?.text();
  const page = PAGES.includes(ASKED + noted) ? ASKED + noted : PAGES[0];
  return method === "POST" ? `${page}&unsent=1` : page;
}
