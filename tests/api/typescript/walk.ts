// A consultation from log-in to the corrected answer, with the client that openapi-typescript generates from docs/openapi.json.
// node walk.ts ADDRESS PASSWORD PHOTO: the users are the test's alice and dana; the test simulates the worker.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import createClient, { type Client } from "openapi-fetch";
import type { components, paths } from "./api.d.ts";

type PatientReview = components["schemas"]["PatientReview"];
type Problem = components["schemas"]["Problem"];

const [address, password, photo] = process.argv.slice(2);
assert(address && password && photo);

/** Return the data of a response, or fail with its problem. */
function dataOf<T>({ data, error, response }: { data?: T; error?: Problem; response: Response }): T {
  assert(data !== undefined, `${response.status} ${response.url}: ${JSON.stringify(error)}`);
  return data;
}

async function loggedIn(email: string): Promise<Client<paths>> {
  const anonymous = createClient<paths>({ baseUrl: address });
  const { token } = dataOf(await anonymous.POST("/api/v1/tokens", { body: { email, password: password ?? "" } }));
  return createClient<paths>({
    baseUrl: address,
    headers: { Authorization: `Token ${token}`, "Accept-Language": "en" },
  });
}

const alice = await loggedIn("alice@example.com");
const dana = await loggedIn("dana@example.com");

// The patient: answers, body site and history, photo, submission.
const consents = dataOf(await alice.GET("/api/v1/consents"));
assert(consents.find((each) => each.purpose === "care")?.given);
const questionnaire = dataOf(await alice.GET("/api/v1/questionnaire"));
const answers = Object.fromEntries(questionnaire.red_flags.map((question) => [question.id, "no"]));
const opened = dataOf(
  await alice.POST("/api/v1/submissions", {
    params: { header: { "Idempotency-Key": "typescript-1" } },
    body: { answers },
  }),
);
const path = { id: opened.id };

const read = await alice.GET("/api/v1/submissions/{id}", { params: { path } });
const etag = read.response.headers.get("ETag");
assert(etag);
dataOf(read);
const described = dataOf(
  await alice.PATCH("/api/v1/submissions/{id}", {
    params: { path, header: { "If-Match": etag } },
    body: { body_site: "elbow_crease", history: { itch: 5, symptoms: ["itch"] } },
  }),
);
assert.equal(described.history.itch, 5);
const stale = await alice.PATCH("/api/v1/submissions/{id}", {
  params: { path, header: { "If-Match": etag } },
  body: { history: { itch: 1 } },
});
assert.equal(stale.error?.code, "precondition_failed");

const content = await readFile(photo);
const uploaded = dataOf(
  await alice.POST("/api/v1/submissions/{id}/photos", {
    params: { path },
    body: { view: "close_up", file: basename(photo) },
    bodySerializer: ({ view, file }) => {
      const form = new FormData();
      form.set("view", view);
      form.set("file", new Blob([content], { type: "image/jpeg" }), file);
      return form;
    },
  }),
);
assert.equal(uploaded.state, "stored");
const sent = await alice.POST("/api/v1/submissions/{id}/submit", { params: { path }, body: { send_anyway: false, missing_photo: "other" } });
assert.equal(dataOf(sent).status, "submitted");
assert(Number(sent.response.headers.get("Retry-After")) > 0);

for (let waited = 0; ; waited += 1) {
  const { ai_status } = dataOf(await alice.GET("/api/v1/submissions/{id}/status", { params: { path } }));
  if (ai_status === "done") break;
  assert(waited < 300, `the AI status is still ${ai_status}`);
  await sleep(200);
}

// The dermatologist: worklist, claim, findings, answer.
const worklist = dataOf(await dana.GET("/api/v1/worklist"));
assert(worklist.results.some((row) => row.id === opened.id));
dataOf(await dana.POST("/api/v1/submissions/{id}/claim", { params: { path } }));
const seen = dataOf(await dana.GET("/api/v1/submissions/{id}", { params: { path } }));
assert(typeof seen.patient === "object" && seen.patient.name === "Alice");
dataOf(await dana.POST("/api/v1/submissions/{id}/impression", { params: { path }, body: { impression: "AD" } }));
const [analysis] = dataOf(await dana.GET("/api/v1/submissions/{id}/findings", { params: { path } }));
assert(analysis);
assert(analysis.boxes.every((box) => box.width > 0 && box.skin > 0.8));
assert.equal(analysis.classification_model?.name, "test");
assert.deepEqual(analysis.thresholds, {}); // a demonstration model names nothing
const answer = { impression: "AD", disposition: "days_2", text: "Please come in tomorrow.", reason: "Seen." } as const;
const signed = dataOf(await dana.POST("/api/v1/submissions/{id}/reviews", { params: { path }, body: answer }));
assert("amends" in signed); // not held: the tests send at once
assert.equal(signed.amends, null);

async function answersForAlice(): Promise<PatientReview[]> {
  return dataOf(await alice.GET("/api/v1/submissions/{id}/reviews", { params: { path } }));
}

assert.deepEqual((await answersForAlice()).map((each) => each.text), [answer.text]);
const amended = dataOf(
  await dana.POST("/api/v1/submissions/{id}/amendments", {
    params: { path },
    body: { ...answer, text: "Please come in today.", disposition: "today" },
  }),
);
assert("amends" in amended); // corrections are held alike
assert.equal(amended.amends, signed.id);
const both = await answersForAlice();
assert.deepEqual(both.map((each) => each.text), ["Please come in today.", answer.text]);
assert.deepEqual(both.map((each) => each.amends), [signed.id, null]);

const news = dataOf(
  await alice.GET("/api/v1/submissions", { params: { query: { answered_since: amended.signed_at } } }),
);
assert.deepEqual(news.results.map((row) => row.status), ["answered"]);
const unasked = { colour: "red" } as never;
const refused = await alice.GET("/api/v1/submissions", { params: { query: unasked } });
assert.deepEqual(refused.error?.errors?.map((each) => each.field), ["colour"]);
console.log(JSON.stringify({ submission: opened.id, answers: both.length }));
