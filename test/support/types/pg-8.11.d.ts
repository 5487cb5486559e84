declare module 'pg-8.11' {
  import pg from 'pg'
  export default pg
}
