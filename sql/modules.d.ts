declare module '*.sql' {
  const file: import('./sql-file').SqlFile
  export default file
}
