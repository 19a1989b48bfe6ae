export const greeting = (from) => `hello from ${from}`;
