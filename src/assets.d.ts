/** Files that the bundler embeds: importing one `with { type: 'file' }` gives the path under which the process can read it. */
declare module '*.tar.zst' {
  const path: string
  export default path
}

/** Scripts for Redis, embedded as text: imported `with { type: 'text' }`. */
declare module '*.lua' {
  const text: string
  export default text
}
