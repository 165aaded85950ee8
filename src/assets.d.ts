/** Files that the bundler embeds: importing one `with { type: 'file' }` gives the path under which the process can read it. */
declare module '*.tar.zst' {
  const path: string
  export default path
}
