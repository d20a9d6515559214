// Counts the objects that a walk has verified, for the messages of the scripts.

export const counted = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

export class Tally {
  objects = 0;
  events = 0;

  add(object) {
    this.first ??= object.number;
    this.objects += 1;
    this.events += object.events.length;
    this.last = object;
    if (object.isRegistered) {
      this.registered = object;
    }
  }

  /** The objects so far, as a part of a sentence. */
  get text() {
    return `${counted(this.objects, "object")} (${this.first} to ${this.last.number}) with ${counted(this.events, "event")}`;
  }

  /** The end of a message about the object that is wrong. */
  get good() {
    return this.objects === 0 ? "No object was verified" : `Before it, ${this.text} were verified`;
  }
}
