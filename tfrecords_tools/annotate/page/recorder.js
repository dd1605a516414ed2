// Sends what is recorded, a quarter of a second at a time, and keeps it until the server has it on disk.

import { socket } from "./api.js";
import { Trace } from "./trace.js";

const EVERY = 250; // milliseconds
const AGAIN = 1000;

export class Recorder {
  // `changed(kind, text)` is told of "saved", "lost" and "error".
  constructor(rater, video, dimensions, changed) {
    Object.assign(this, { rater, video, dimensions, changed });
    this.traces = Object.fromEntries(dimensions.map(name => [name, new Trace()]));
    this.waiting = []; // batches that the server has not confirmed
    this.batch = 0;
    this.failed = false; // whether the server could not save one of them
    this.samples = [];
    this.segment = 1;
    this.last = null; // time of the last sample of the segment that is being recorded
    this.answers = [];
    this.closed = false;
    this.timer = setInterval(() => this.flush(), EVERY);
  }

  // Opens the video for this page alone; settles when its traces are here.
  open() {
    return new Promise((resolve, reject) => {
      const connection = socket("api/record");
      this.connection = connection;
      let first = true;
      connection.addEventListener("open", () => connection.send(JSON.stringify({
        type: "open", rater: this.rater, video: this.video, dimensions: this.dimensions,
      })));
      connection.addEventListener("message", event => {
        const answer = JSON.parse(event.data);
        if (first) {
          first = false;
          if (answer.type === "error") {
            this.closed = true;
            connection.close();
            reject(new Error(answer.error));
            return;
          }
          this.#opened(answer);
          resolve(this);
        } else {
          this.#answered(answer);
        }
      });
      connection.addEventListener("close", () => {
        for (const settle of this.answers.splice(0)) settle.reject(new Error("The server has gone."));
        if (this.closed) return;
        if (first) reject(new Error("The server cannot be reached."));
        this.changed("lost", "The server has gone, and recording is paused. Start it again and open the address that it " +
          "prints; only the last moment is lost.");
        setTimeout(() => this.closed || this.open().catch(() => {}), AGAIN);
      });
    });
  }

  begin() {
    this.flush();
    this.segment += this.used ? 1 : 0;
    this.used = false;
    this.last = null;
  }

  put(time, value) {
    if (this.last !== null && time <= this.last) return;
    for (const name of this.dimensions) this.traces[name].put(time, value[name], this.last);
    this.last = time;
    this.used = true;
    this.samples.push([time, ...this.dimensions.map(name => value[name])]);
  }

  flush() {
    if (this.samples.length) {
      this.waiting.push({ type: "samples", batch: ++this.batch, segment: this.segment, samples: this.samples });
      this.samples = [];
      if (this.#ready()) this.connection.send(JSON.stringify(this.waiting.at(-1)));
    }
  }

  undo() {
    return this.#asked({ type: "undo" });
  }

  finish(details) {
    return this.#asked({ type: "finish", details });
  }

  verify() {
    return this.#asked({ type: "verify" });
  }

  close() {
    this.flush();
    this.closed = true;
    clearInterval(this.timer);
    this.connection?.close();
  }

  get connected() {
    return this.#ready();
  }

  get unsaved() {
    return this.waiting.length + (this.samples.length ? 1 : 0);
  }

  #ready() {
    return this.connection?.readyState === WebSocket.OPEN;
  }

  #asked(message) {
    this.flush();
    if (!this.#ready()) return Promise.reject(new Error("The server cannot be reached."));
    if (this.failed) return Promise.reject(new Error("What was recorded last is not saved yet. Make room, then try again."));
    return new Promise((resolve, reject) => {
      this.answers.push({ type: message.type, resolve, reject });
      this.connection.send(JSON.stringify(message));
    });
  }

  #opened(answer) {
    if (this.waiting.length || this.samples.length) {
      // Back after the server was gone: what it has not confirmed goes first.
      for (const batch of this.waiting) this.connection.send(JSON.stringify(batch));
      this.changed("saved", "");
      return;
    }
    this.changed("saved", "");
    this.segment = answer.segment;
    this.#take(answer.traces);
  }

  #answered(answer) {
    if (answer.type === "samples") {
      this.#done(answer.batch);
      if (!this.waiting.length) this.failed = false;
      if (!this.failed) this.changed("saved", "");
      return;
    }
    if (answer.type === "error" && answer.batch) {
      if (!answer.again) this.#done(answer.batch);
      else if (!this.failed) setTimeout(() => this.#sendAgain(), AGAIN);
      this.failed ||= Boolean(answer.again);
      this.changed("failed", answer.error);
      return;
    }
    if (answer.type === "undo") {
      this.segment = answer.segment;
      this.used = false;
      this.last = null;
      this.#take(answer.traces);
    }
    const place = this.answers.findIndex(each => answer.type === "error" || each.type === answer.type);
    if (place < 0) {
      this.changed("error", answer.error ?? "");
      return;
    }
    const [settle] = this.answers.splice(place, 1);
    if (answer.type === "error") settle.reject(new Error(answer.error));
    else settle.resolve(answer);
  }

  #done(batch) {
    this.waiting = this.waiting.filter(each => each.batch !== batch);
  }

  // Until the server can save them; a batch that it saves twice is the same as once.
  #sendAgain() {
    if (this.closed || !this.failed) return;
    if (this.#ready()) for (const batch of this.waiting) this.connection.send(JSON.stringify(batch));
    setTimeout(() => this.#sendAgain(), AGAIN);
  }

  #take(traces) {
    for (const [name, { times, values }] of Object.entries(traces)) {
      Object.assign(this.traces[name], { times, values, version: this.traces[name].version + 1 });
    }
  }
}
