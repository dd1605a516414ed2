// In place of the recorder while one practises: the same calls, and nothing is sent or kept.

import { Trace } from "./trace.js";

export class Practice {
  constructor(dimensions) {
    this.dimensions = dimensions;
    this.traces = Object.fromEntries(dimensions.map(name => [name, new Trace()]));
    this.before = []; // the traces as they were before each segment
    this.used = true;
    this.last = null;
    this.connected = true;
    this.failed = false;
    this.unsaved = 0;
  }

  async open() {
    return this;
  }

  begin() {
    this.used = false;
    this.last = null;
  }

  put(time, value) {
    if (this.last !== null && time <= this.last) return;
    if (!this.used) {
      this.before.push(this.dimensions.map(name => [[...this.traces[name].times], [...this.traces[name].values]]));
      this.used = true;
    }
    for (const name of this.dimensions) this.traces[name].put(time, value[name], this.last);
    this.last = time;
  }

  async undo() {
    const before = this.before.pop();
    this.dimensions.forEach((name, i) => {
      const trace = this.traces[name];
      if (before) Object.assign(trace, { times: before[i][0], values: before[i][1], version: trace.version + 1 });
    });
    this.begin();
    return { undone: before ? this.before.length + 1 : null };
  }

  async finish() {}

  flush() {}

  close() {}
}
