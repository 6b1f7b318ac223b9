// Registers the service worker that shows our own page where the connection is away, and notes for it in which language and how large.
const { lang, dataset } = document.documentElement;
const page = `?language=${lang}${dataset.furigana && lang === "ja" ? "&furigana=1" : ""}`;
const note = (cache) =>
  Promise.all([cache.put("/offline/", new Response(page)), cache.put("/offline/text-size", new Response(dataset.text))]);
navigator.serviceWorker?.register("/service-worker.js").catch(() => {});
self.caches?.open("teleder-language").then(note).catch(() => {}); // no storage, for example in a private window
