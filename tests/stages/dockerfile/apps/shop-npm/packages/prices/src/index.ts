export function shown(cents: number): string {
  return `${Math.floor(cents / 100)} coins`
}
