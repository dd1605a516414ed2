// Samples of one dimension by time, rising; a recorded segment replaces what stood at its times, as on the server.

export class Trace {
  constructor(times = [], values = []) {
    this.times = times;
    this.values = values;
    this.version = 0;
  }

  // Index of the first sample at or after a time.
  place(time) {
    let low = 0, high = this.times.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.times[middle] < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  // Put one sample of a segment that has recorded from `since` on: what stood between its last sample and this goes.
  put(time, value, since) {
    const from = this.place(since === null ? time : since + 1e-6), to = this.place(time + 1e-6);
    if (from === this.times.length) {
      this.times.push(time);
      this.values.push(value);
    } else {
      this.times.splice(from, Math.max(0, to - from), time);
      this.values.splice(from, Math.max(0, to - from), value);
    }
    this.version += 1;
  }

  at(time) {
    if (!this.times.length) return null;
    const after = Math.min(this.place(time), this.times.length - 1), before = Math.max(0, after - 1);
    return Math.abs(this.times[before] - time) <= Math.abs(this.times[after] - time)
      ? this.values[before] : this.values[after];
  }

  // [from, to] in seconds of every part longer than a second without a sample.
  holes(duration) {
    const found = [];
    let last = 0;
    for (const time of [...this.times, duration]) {
      if (time - last > 1) found.push([last, time]);
      last = time;
    }
    return found;
  }
}
