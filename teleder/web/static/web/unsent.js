// Any page but the photo step: says that photos are not sent yet, goes on sending them, and forgets what belongs to no draft.
import * as outbox from "./outbox.js";
import { write } from "./readings.js";
import { forget } from "./words.js";

const note = document.getElementById("unsent-photos");
const { owner, drafts, words } = note.dataset;

// What was typed for a draft goes with it; the form of a draft is named "draft.ID.PART".
forget((form) => form.startsWith("draft.") && !drafts.split(" ").includes(form.split(".")[1]));

const changed = () => {
  const entries = outbox.list();
  note.hidden = !entries.length;
  write(note.querySelector("strong"), words.replace("{n}", entries.length));
  if (entries.length) note.querySelector("a").href = new URL("..", new URL(entries[0].to, location)).pathname;
};

outbox.open(owner, drafts.split(" "), { changed, arrived() {}, elsewhere() {} });
