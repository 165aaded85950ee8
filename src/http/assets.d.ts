/** Files embedded by `import … with { type: 'file' }`: the import is their path, inside the binary or on disk. */
declare module 'swagger-ui-dist/swagger-ui-bundle.js' {
  const path: string
  export default path
}

declare module 'swagger-ui-dist/swagger-ui.css' {
  const path: string
  export default path
}
